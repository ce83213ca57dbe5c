/** The editor of `miniagents chat` in a terminal: keys in, screen out. */
import { assert, describe, it } from "@effect/vitest"
import { asking, chat, lines, sent, server, setUp } from "./Chat.ts"
import { key } from "./Terminal.ts"

setUp()

describe("the editor of miniagents chat", () => {
  it.each([
    ["Ctrl+Space", key.ctrlSpace],
    ["Alt+Enter", key.altEnter],
    ["Shift+Enter of the Kitty keyboard protocol", key.shiftEnter],
    ["Shift+Enter with Num Lock", "\u001b[13;130u"],
    ["Shift+Enter of xterm", key.shiftEnterOfXterm],
    ["Ctrl+J", key.ctrl("J")],
    ["Ctrl+J of the Kitty keyboard protocol", "\u001b[106;5u"]
  ])("begins a new line with %s", async (_, newLine) => {
    const terminal = await chat()
    terminal.type(`one${newLine}two`)
    await terminal.until(lines("USER: one", "two"))
    terminal.type(key.enter)
    assert.strictEqual(await sent(), "one\ntwo")
  })

  it("begins a new line with a backslash and Enter", async () => {
    const terminal = await chat()
    terminal.type(`one\\${key.enter}`)
    await terminal.until(() => terminal.cursorLine === "|")
    terminal.type(`two${key.enter}`)
    assert.strictEqual(await sent(), "one\ntwo")
  })

  it("takes lines that are pasted without brackets as one text, too", async () => {
    const terminal = await chat()
    terminal.type("def f():\r\treturn 1\r")
    await terminal.until(() => terminal.cursorLine === "|")
    terminal.type(`f()${key.enter}`)
    assert.strictEqual(await sent(), "def f():\n\treturn 1\nf()")
  })

  it("takes many pasted lines as one text, which is not sent before Enter", async () => {
    const terminal = await chat()
    terminal.type(`see: ${key.paste("first\r\nsecond\rthird\n")}`)
    await terminal.until(lines("USER: see: first", "second", "third"))
    terminal.type(`end${key.enter}`)
    assert.strictEqual(await sent(), "see: first\nsecond\nthird\nend")
  })

  it("takes a paste whatever is in it and however it is cut", async () => {
    const terminal = await chat()
    for (const piece of ["\u001b[2", "00~a\u001b[31", "m\u0003b\n", "c\u001b[20", "1~", "d"]) terminal.type(piece)
    await terminal.until(lines("USER: a␛[31m␃b", "cd"))
    terminal.type(key.enter)
    assert.strictEqual(await sent(), "a\u001b[31m\u0003b\ncd")
  })

  it("takes a paste of many pages, and can be edited then", async () => {
    const terminal = await chat()
    const pages = "The quick brown fox jumps over the lazy dog. 日本\n".repeat(2_000)
    terminal.type(`${key.paste(pages)}end`)
    await terminal.until(/dog\. 日本\nend$/)
    terminal.type(`${key.backspace}${key.enter}`)
    assert.strictEqual(await sent(), `${pages}en`)
  })

  it("moves and deletes as people are used to", async () => {
    const terminal = await chat()
    terminal.type(`brown fox${key.home}the ${key.end}es${key.left}${key.backspace}${key.right}`)
    await terminal.until("USER: the brown foxs")
    assert.strictEqual(terminal.cursorLine, "USER: the brown foxs|")
    terminal.type(
      `${key.backspace}${key.ctrl("A")}${key.delete}T${key.ctrl("E")} jumps${key.ctrl("W")}${key.ctrl("W")}`
    )
    await terminal.until((screen) => screen.endsWith("USER: The brown"))
    terminal.type(`${key.ctrl("U")}${key.ctrl("Y")}!${key.ctrl("B")}${key.ctrl("B")}${key.ctrl("K")}${key.enter}`)
    assert.strictEqual(await sent(), "The brown")
  })

  it("moves by words", async () => {
    const terminal = await chat()
    terminal.type("one two three\u001bb\u001b[1;5DX\u001bfY\u001b[1;5CZ\u001b\u007f")
    await terminal.until("USER: one XtwoY")
    terminal.type(key.enter)
    assert.strictEqual(await sent(), "one XtwoY ")
  })

  it("goes up and down between the lines, and beyond them through what was sent", async () => {
    const terminal = await chat()
    server.answerAll = () => "ok"
    terminal.type(`first${key.enter}`)
    await terminal.until(/ASSISTANT: ok\n\nUSER:$/)
    terminal.type(`second${key.ctrlSpace}line${key.enter}`)
    await terminal.until(/ASSISTANT: ok\n\nUSER: second\nline\n\nASSISTANT: ok\n\nUSER:$/)
    terminal.type(`dra${key.up}`)
    await terminal.until(/\nUSER: second\nline$/)
    terminal.type(`${key.up}+`)
    await terminal.until(/\nUSER: \+second\nline$/)
    terminal.type(key.up)
    await terminal.until(/\nUSER: first$/)
    terminal.type(key.up + key.down + key.down)
    await terminal.until(/\nUSER: dra$/)
    server.answerAll = undefined
    terminal.type(`ft${key.enter}`)
    assert.strictEqual(await sent(), "draft")
  })

  it("sends nothing for an empty line", async () => {
    const terminal = await chat()
    terminal.type(`${key.enter}${key.left} ${key.enter}${key.left}x${key.enter}`)
    assert.strictEqual(await sent(), "x ")
  })

  it("knows how wide characters are, and deletes them whole", async () => {
    const terminal = await chat()
    terminal.type("日本語")
    await terminal.until("USER: 日本語")
    assert.strictEqual(terminal.cursorLine, "USER: 日本語|")
    terminal.type(`${key.left}${key.left}`)
    await terminal.until(() => terminal.cursorLine === "USER: 日|本語")
    terminal.type(`${key.backspace}中${key.end}e\u0301👨‍👩‍👧${key.backspace}${key.backspace}!${key.enter}`)
    assert.strictEqual(await sent(), "中本語!")
  })

  it("wraps wide characters at the edge of the screen, and edits on both sides of it", async () => {
    const terminal = await chat([], { columns: 20 })
    terminal.type("0123456789日本語日本語")
    await terminal.until(lines("USER: 0123456789日本", "語日本語"))
    terminal.type(`${key.home}>${key.end}<`)
    await terminal.until(lines("USER: >0123456789日", "本語日本語<"))
    terminal.type(`${key.up}${key.up}^`)
    await terminal.until("USER: >0123")
    terminal.type(key.enter)
    assert.strictEqual((await sent()).replace("^", ""), ">0123456789日本語日本語<")
  })

  it("lays the text out anew when the terminal is resized, and leaves what is above as it is", async () => {
    const { asked, terminal } = await asking({ columns: 60 })
    asked.finish("An answer")
    await terminal.until(/An answer\n\nUSER:$/)
    terminal.type(`${"word ".repeat(12)}end${key.ctrlSpace}last`)
    await terminal.until(/end\nlast$/)
    await terminal.resize(30, 20)
    await terminal.until(lines("USER: word word word word word", " word word word word word word", " word end", "last"))
    terminal.type("!")
    await terminal.until(/last!$/)
    await terminal.resize(60, 20)
    terminal.type("?")
    const screen = await terminal.until(/last!\?$/)
    assert.strictEqual(screen.split("USER: word").length, 2, screen)
    assert.include(screen, lines("USER: hi", "", "ASSISTANT: An answer", "", "USER: word"))
    terminal.type(key.enter)
    assert.strictEqual(await sent(), `${"word ".repeat(12)}end\nlast!?`)
  })

  it("edits a text that is higher than the screen, and shows all of it when it is sent", async () => {
    const terminal = await chat([], { rows: 8 })
    const text = Array.from({ length: 30 }, (_, i) => `line ${i}`)
    terminal.type(key.paste(text.join("\n")))
    await terminal.until("line 29")
    terminal.type(`${key.up.repeat(29)}${key.home}>`)
    await terminal.until("USER: >line 0")
    terminal.type(key.enter)
    assert.strictEqual(await sent(), `>${text.join("\n")}`)
    const screen = await terminal.until(/ASSISTANT: ok\n\nUSER:$/)
    assert.include(screen, `USER: >${text.join("\n")}\n\nASSISTANT: ok`)
    assert.strictEqual(screen.split("line 15").length, 2, "it is there once")
  })

  it("keeps what is typed during an answer for the next question", async () => {
    const { asked, terminal } = await asking()
    asked.say("Let me")
    await terminal.until("Let me")
    terminal.type("and then")
    asked.finish(" think")
    await terminal.until(/ASSISTANT: Let me think\n\nUSER: and then$/)
    terminal.type(`?${key.enter}`)
    assert.strictEqual(await sent(), "and then?")
  })

  it("clears the screen with Ctrl+L and keeps the text", async () => {
    const terminal = await chat()
    terminal.type(`text${key.ctrl("L")}`)
    assert.strictEqual(await terminal.until(/^USER: text$/), "USER: text")
  })
})
