/** A page to talk with the served agents: plain, with nothing that is loaded from elsewhere. */

export const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>miniagents</title>
<link rel="stylesheet" href="/chat.css">
<script type="module" src="/chat.js"></script>
</head>
<body>
<header>
<label>Agent <select id="agent"></select></label>
<span id="about"></span>
<button id="fresh" type="button">New conversation</button>
</header>
<main id="talk" aria-live="polite"></main>
<form id="form">
<textarea id="parameters" rows="2" aria-label="Parameters, as JSON" hidden></textarea>
<textarea id="text" rows="3" aria-label="Message" placeholder="Message (Enter sends, Shift+Enter is a new line)" autofocus></textarea>
<button id="send" type="submit">Send</button>
<button id="stop" type="button" hidden>Stop</button>
</form>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`

export const css = `:root { font: 16px/1.5 system-ui, sans-serif; --line: #8884; --said: #2563eb; --quiet: #777; --bad: #dc2626 }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 52rem; height: 100dvh; display: flex; flex-direction: column; padding: 0 1rem }
header, form { display: flex; gap: .75rem; align-items: center; padding: .75rem 0; flex-wrap: wrap }
#about { flex: 1; color: var(--quiet); font-size: .9rem; min-width: 10rem }
main { flex: 1; overflow-y: auto; border-block: 1px solid var(--line); padding: 1rem 0 }
article { margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
article > small { display: block; color: var(--quiet) }
.me { margin-left: 20%; padding: .5rem .9rem; border-radius: 1rem; background: var(--said); color: #fff }
.aside, .aside summary { color: var(--quiet); font-size: .9rem }
.aside { border-left: 2px solid var(--line); padding-left: .75rem }
.bad { color: var(--bad) }
form textarea { flex: 1 1 60%; font: inherit; padding: .5rem .75rem; border-radius: .6rem; border: 1px solid var(--line); resize: vertical }
#parameters { flex-basis: 100%; font-family: ui-monospace, monospace; font-size: .85rem }
button, select { font: inherit; padding: .4rem .9rem; border-radius: .6rem; border: 1px solid var(--line) }
button { cursor: pointer }
#send { background: var(--said); color: #fff; border-color: transparent }
`

/** Written as it runs in a browser. */
export const js = String.raw`const $ = (id) => document.getElementById(id)
const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text })
const token = new URLSearchParams(location.hash.slice(1)).get("token")
const ask = (path, init = {}) =>
  fetch(path, { ...init, headers: { "content-type": "application/json", ...(token && { authorization: "Bearer " + token }), ...init.headers } })
const talk = $("talk")
let agents = []
let history = []
let run = undefined

const agent = () => agents[$("agent").selectedIndex]
const show = (element) => {
  const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80
  talk.append(element)
  if (atEnd) talk.scrollTop = talk.scrollHeight
  return element
}
const complain = (text) => show(make("article", "bad", text))

const choose = () => {
  const { description = "", parameters } = agent()
  $("about").textContent = description
  const { properties = {}, required = [] } = parameters
  const sample = ({ type, enum: values }) => values?.[0] ?? { integer: 1, number: 1, boolean: false, array: [], object: {} }[type] ?? ""
  $("parameters").hidden = Object.keys(properties).length === 0
  $("parameters").title = Object.keys(properties).join(", ")
  $("parameters").value = JSON.stringify(Object.fromEntries(required.map((name) => [name, sample(properties[name])])))
  fresh()
}
const fresh = () => {
  history = []
  talk.replaceChildren()
  $("text").focus()
}

/** What was said of one message, and how it is shown: text is text, whatever stands in it. */
class Shown {
  constructor({ known, origin }) {
    this.known = known
    this.text = ""
    const aside = known.aside === true
    this.element = show(make(aside ? "details" : "article", aside ? "aside" : ""))
    const who = [known.agent ?? origin?.agent, aside || known._tag === "Failure" ? known._tag : ""].filter(Boolean).join(" · ")
    this.element.append(make(aside ? "summary" : "small", "", who))
    this.body = make("span", known._tag === "Failure" ? "bad" : "")
    this.element.append(this.body)
  }
  say(text) {
    this.text += text
    this.body.append(text)
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 200
    if (atEnd) talk.scrollTop = talk.scrollHeight
  }
  whole(message) {
    if (this.text !== "") return
    if (message._tag === "ToolCall") return this.title(message.name + "(" + JSON.stringify(message.parameters) + ")")
    if (message._tag === "ToolResult") return this.title(message.name, message.result)
    if (message._tag === "ResponsePart") return this.part(message.part)
    if (message._tag === "Failure") return this.say(message.error + ": " + message.reason)
    const { _tag, content, agent, model, ...rest } = message
    this.say(content || JSON.stringify(rest.data ?? rest, null, 2))
  }
  title(text, more) {
    this.element.querySelector("summary").append(" " + text)
    if (more !== undefined) this.say(typeof more === "string" ? more : JSON.stringify(more, null, 2))
  }
  part(part) {
    if (part.type !== "tool-approval-request") return this.title(part.type, part)
    this.element.open = true
    this.title("asks for approval")
    for (const approved of [true, false]) {
      const button = make("button", "", approved ? "Approve" : "Deny")
      button.type = "button"
      button.onclick = async () => {
        const value = JSON.stringify({ name: "approval:" + part.approvalId, value: { approved } })
        const answer = await ask(agent().url + "/" + run + "/signal", { method: "POST", body: value })
        if (answer.ok) for (const other of this.element.querySelectorAll("button")) other.remove()
        else complain((await answer.json()).error.message)
      }
      this.element.append(button)
    }
  }
}

/** Reads the events of a response, and gives whether the last one was among them. */
const read = async (response, on) => {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read()
    if (done) return false
    rest += value
    const blocks = rest.split("\n\n")
    rest = blocks.pop()
    for (const block of blocks) {
      const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? []
      if (data === undefined) continue
      on(JSON.parse(data), id)
      if (id === "end") return true
    }
  }
}

const send = async (text) => {
  let parameters
  try {
    parameters = $("parameters").hidden ? {} : JSON.parse($("parameters").value)
  } catch {
    return complain("The parameters are no JSON")
  }
  if (text !== "") {
    history.push({ _tag: "User", content: text })
    show(make("article", "me", text))
  }
  const { url } = agent()
  const messages = []
  let position
  const on = (event, id) => {
    position = id
    const { at, message } = event
    if (event._tag === "open") messages[at] = new Shown(event)
    else if (event._tag === "text") messages[at].say(event.text)
    else if (event._tag === "message") messages[at].whole(message)
    else if (event._tag === "broken") complain(event.failure?.reason ?? "interrupted")
    else if (event._tag === "failed") complain(event.failure.error + ": " + event.failure.reason)
    else if (event._tag === "interrupted") complain("stopped")
    else if (event._tag === "reset") for (const later of messages.splice(event.to > 0 ? at + 1 : at)) later.element.remove()
  }
  busy(true)
  try {
    const body = JSON.stringify({ messages: history, parameters, resumable: true, linger: 60, approvals: true })
    let response = await ask(url, { method: "POST", body })
    if (!response.ok) return complain((await response.json()).error.message)
    run = response.headers.get("run-id")
    for (let left = 8; !(await read(response, on).catch(() => false)); left--) {
      // the connection was cut: the run goes on, and so does the reading
      if (left === 0) return complain("The connection is lost")
      await new Promise((go) => setTimeout(go, 300))
      const next = await ask(url + "/" + run + "/events", { headers: { "last-event-id": position ?? "" } }).catch(() => undefined)
      if (next?.ok) response = next
    }
    const said = messages.filter((each) => each && !each.known.aside && each.text !== "")
    for (const { text } of said) history.push({ _tag: "Assistant", content: text })
  } catch (error) {
    complain(String(error))
  } finally {
    busy(false)
  }
}
const busy = (is) => {
  $("send").hidden = is
  $("stop").hidden = !is
  $("agent").disabled = is
  $("fresh").disabled = is
  if (!is) $("text").focus()
}

$("form").onsubmit = (event) => {
  event.preventDefault()
  const text = $("text").value.trim()
  if (text === "" && $("parameters").hidden) return
  $("text").value = ""
  void send(text)
}
$("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
  event.preventDefault()
  if ($("stop").hidden) $("form").requestSubmit()
}
$("stop").onclick = () => ask(agent().url + "/" + run, { method: "DELETE" })
$("fresh").onclick = fresh
$("agent").onchange = choose

const listed = await ask("/agents")
if (listed.ok) {
  agents = await listed.json()
  for (const { name } of agents) $("agent").append(make("option", "", name))
  choose()
} else complain(listed.status === 401 ? "Open the address that the program printed, with its token" : "The agents cannot be listed")
`
