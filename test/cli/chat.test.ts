/** `miniagents chat` in a terminal: a conversation, keys in, screen out. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { asking, chat, folder, history, lines, server, setUp, startProgram } from "./Chat.ts"
import { key } from "./Terminal.ts"

setUp()

describe("miniagents chat", () => {
  it("shows what is said word by word, names who speaks, and asks again", async () => {
    const { asked, terminal } = await asking()
    assert.deepStrictEqual(asked.messages, ["user: hi"])
    asked.say("Hello")
    await terminal.until("ASSISTANT: Hello")
    asked.finish(" there")
    await terminal.until(lines("USER: hi", "", "ASSISTANT: Hello there", "", "USER:"))
    terminal.type(`bye${key.enter}`)
    assert.deepStrictEqual((await server.asked()).messages, ["user: hi", "assistant: Hello there", "user: bye"])
  })

  it("looks as README shows it", async () => {
    const terminal = await chat([], { env: { MINIAGENTS_MODEL: "qwen3:8b" } })
    terminal.type(`Name two rivers that cross a border.${key.enter}`)
    const first = await server.asked()
    first.finish("The Danube flows through ten countries, the Rhine through six.")
    await terminal.until(/six\.\n\nUSER:$/)
    terminal.type(`A haiku about the first one,${key.ctrlSpace}please.${key.enter}`)
    const second = await server.asked()
    second.finish("Black Forest trickle,\nten flags bow over your back:\nthe sea calls you one.")
    await terminal.until(/one\.\n\nUSER:$/)
    terminal.type(`exit${key.enter}`)
    await terminal.exited
    const session = fs.readFileSync(path.join(import.meta.dirname, "session.txt"), "utf8")
    const screen = terminal.screen.replace(/127\.0\.0\.1:\d+/, "localhost:11434")
    assert.strictEqual(`$ npx miniagents chat\n${screen}\n`, session)
    assert.deepStrictEqual(fs.readdirSync(folder), ["CHAT.md"]) // no log that nobody asked for
  })

  it("says which model and which file, and which keys there are", async () => {
    const { screen } = await chat()
    assert.match(screen, /^miniagents · openai some-model at 127\.0\.0\.1:\d+ · CHAT\.md\n\nEnter sends; Ctrl\+Space/m)
  })

  it("tells the model first what --system says, and logs with --log", async () => {
    const terminal = await chat(["--system", "Be brief", "--log"])
    terminal.type(`hi${key.enter}`)
    const asked = await server.asked()
    assert.deepStrictEqual(asked.messages, ["system: Be brief", "user: hi"])
    asked.finish("yes")
    await terminal.until(/ASSISTANT: yes\n\nUSER:$/)
    assert.notInclude(history(), "Be brief")
    assert.strictEqual(fs.readdirSync(path.join(folder, "llm_logs")).length, 1)
  })

  it("says with --cost what the conversation has taken so far, and does not keep that", async () => {
    const terminal = await chat(["--cost"], { env: { MINIAGENTS_MODEL: "gpt-4o-mini" } })
    const usage = { prompt_tokens: 1000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 250 } }
    for (const said of ["one", "two"]) {
      terminal.type(`${said}${key.enter}`)
      const asked = await server.asked()
      assert.notInclude(asked.messages.join(), "so far")
      asked.finish(`answer ${said}`, usage)
      await terminal.until(new RegExp(`answer ${said}[^]*written[^]*USER:$`))
    }
    assert.match(
      terminal.screen.replace(/\s+/g, " "),
      /\[so far: 2000 tokens read \(25 % cached\), 20 written, \$0\.0003; this answer took \d+\.\d s\]/
    )
    assert.notInclude(history(), "so far")
  })

  it("shows a spinner until the first word", async () => {
    const { asked, terminal } = await asking()
    await terminal.until(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]$/m)
    await terminal.until(/^⠹$/m) // it turns
    asked.say("Well")
    const screen = await terminal.until("ASSISTANT: Well")
    assert.notMatch(screen, /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/)
  })

  it("shows what the model thinks, dim, and does not keep it", async () => {
    const { asked, terminal } = await asking()
    asked.think("Let me")
    await terminal.until("ASSISTANT (THINKING): Let me")
    asked.think(" see")
    asked.say("42")
    asked.finish()
    await terminal.until(lines("ASSISTANT (THINKING): Let me see", "", "ASSISTANT: 42", "", "USER:"))
    assert.deepStrictEqual([terminal.styleOf("Let me").dim, terminal.styleOf("42").dim], [true, false])
    terminal.type(`sure?${key.enter}`)
    const next = await server.asked()
    assert.deepStrictEqual(next.messages, ["user: hi", "assistant: 42", "user: sure?"])
    next.think("Hm")
    await terminal.until("ASSISTANT (THINKING): Hm")
    terminal.type(key.ctrl("C"))
    await terminal.until(/Hm\n\nASSISTANT: \[stopped\]\n\nUSER:$/)
    terminal.type(`well?${key.enter}`)
    assert.deepStrictEqual((await server.asked()).messages.slice(2), ["user: sure?", "user: well?"])
    assert.notInclude(history(), "Let me")
  })

  it("tells in red that the model failed, keeps what it said, and goes on", async () => {
    const { asked, terminal } = await asking()
    asked.say("half")
    await terminal.until("ASSISTANT: half")
    asked.cut()
    await terminal.until(/ASSISTANT: half\n\nASSISTANT: Error: [^]*\n\nUSER:$/)
    assert.strictEqual(terminal.styleOf("Error: ").color, 9)
    terminal.type(`again${key.enter}`)
    const again = await server.asked()
    assert.deepStrictEqual(again.messages, ["user: hi", "assistant: half", "user: again"])
    again.refuse(500, "out of order")
    await terminal.until(/out of order[^]*\n\nUSER:$/)
    assert.notInclude(history(), "out of order")
  })

  it("shows Markdown as a person reads it, while it comes, and keeps it as it was written", async () => {
    const { asked, terminal } = await asking({ columns: 40 })
    const said =
      "# Two ways\n\n- use `fork_all` or **nothing** that the edge would break\n- wait\n\n```ts\nrun( 1 )\n```\n"
    for (const piece of said.match(/[^]{1,3}/g)!) asked.say(piece)
    await terminal.until("run( 1 )")
    assert.deepStrictEqual(["Two ways", "use ", "fork_all", "nothing", "run("].map(terminal.looks), [
      { bold: true, underline: true, color: 10 },
      { bold: false, underline: false, color: 10 },
      { bold: false, underline: false, color: 14 },
      { bold: true, underline: false, color: 10 },
      { bold: false, underline: false, color: 14 }
    ])
    asked.finish("It is some_snake_case, list[0][1], and 2*3.")
    const screen = await terminal.until(/3\.\n\nUSER:$/)
    assert.include(
      screen,
      lines(
        "ASSISTANT:",
        "Two ways",
        "",
        "• use fork_all or nothing that the edge",
        "  would break",
        "• wait",
        "",
        "  run( 1 )",
        "",
        "It is some_snake_case, list[0][1], and",
        "2*3."
      )
    )
    terminal.type(`exit${key.enter}`)
    await terminal.exited
    assert.include(history(), "- use `fork_all` or **nothing** that")
  })

  it("aligns the columns of a table by how wide its characters are, and wraps what is too wide for the screen", async () => {
    const { asked, terminal } = await asking({ columns: 40 })
    const said = [
      "| River | Length (km) | Where |",
      "|:-:|--:|---|",
      "| 長江 | 6300 | China, from `snake_case_plateau` down to the East China Sea |",
      "| 🦀 Nile | 6650 | **Egypt** |",
      "| Po | | |",
      "",
      "That is all."
    ].join("\n")
    for (const piece of said.match(/[^]{1,5}/gu)!) asked.say(piece)
    await terminal.until("That is all.")
    assert.deepStrictEqual(
      ["River", "snake_case", "Egypt"].map(terminal.looks).map(({ bold, color }) => [bold, color]),
      [
        [true, 10],
        [false, 14],
        [true, 10]
      ]
    )
    asked.finish()
    assert.include(
      await terminal.until(/all\.\n\nUSER:$/),
      lines(
        " River  │ Length (km) │ Where",
        "────────┼─────────────┼────────────────",
        " 長江   │        6300 │ China, from",
        "        │             │ snake_case_plat",
        "        │             │ eau down to the",
        "        │             │ East China Sea",
        "🦀 Nile │        6650 │ Egypt",
        "  Po    │             │",
        "",
        "That is all."
      )
    )
  })

  it("does not let what the model says steer the terminal", async () => {
    const { asked, terminal } = await asking()
    asked.say("\u001b[2J\u001b[H\u001b]0;owned\u0007gone\rover\u009b31m\tred\u007f")
    asked.finish()
    const screen = await terminal.until(/red␡\n\nUSER:$/)
    assert.include(screen, lines("USER: hi", "", "ASSISTANT: ␛[2J␛[H␛]0;owned␇goneover\ufffd31m"))
    assert.notInclude(terminal.written, "\u001b]0;")
    assert.notInclude(terminal.written, "\u009b")
  })

  it("has colours, but none with NO_COLOR", async () => {
    const { asked, terminal } = await asking()
    asked.finish("green")
    await terminal.until(/green\n\nUSER:$/)
    assert.deepStrictEqual(["USER: hi", "green", "Enter sends"].map(terminal.styleOf), [
      { color: 11, dim: false },
      { color: 10, dim: false },
      { color: -1, dim: true }
    ])
    terminal.type(`exit${key.enter}`)
    await terminal.exited
    const { terminal: plain, asked: again } = await asking({ env: { NO_COLOR: "1" } })
    again.finish("green")
    await plain.until(/green\n\nUSER:$/)
    // oxlint-disable-next-line no-control-regex
    assert.notMatch(plain.written, /\u001b\[\d[\d;]*m/)
  })
})

describe("stopping an answer with Ctrl+C", () => {
  it("keeps what was said, on the screen and as a finished message, hangs up and asks again", async () => {
    const { asked, terminal } = await asking()
    asked.say("As I was say")
    await terminal.until("ASSISTANT: As I was say")
    terminal.type(key.ctrl("C"))
    await asked.hungUp
    await terminal.until(/ASSISTANT: As I was say\n\nASSISTANT: \[stopped\]\n\nUSER:$/)
    terminal.type(`go on${key.enter}`)
    const next = await server.asked()
    assert.deepStrictEqual(next.messages, ["user: hi", "assistant: As I was say", "user: go on"])
    next.finish("ing")
    await terminal.until(/ing\n\nUSER:$/)
    terminal.type(`exit${key.enter}`)
    await terminal.exited
    assert.strictEqual(history().split("<!-- miniagents end").length, 5)
  })

  it("asks again at once when nothing was said yet", async () => {
    const { asked, terminal } = await asking()
    await terminal.until(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]$/m)
    terminal.type("\u001b[99;5u") // as of the Kitty keyboard protocol
    await asked.hungUp
    await terminal.until(/USER: hi\n\nUSER:$/)
    terminal.type(`anyone?${key.enter}`)
    assert.deepStrictEqual((await server.asked()).messages, ["user: hi", "user: anyone?"])
  })

  it("keeps a question that was typed meanwhile, and does not send it", async () => {
    const { asked, terminal } = await asking()
    asked.say("Well")
    await terminal.until("Well")
    terminal.type(`no, wait${key.enter}${key.ctrl("C")}`)
    await terminal.until(/Well\n\nASSISTANT: \[stopped\]\n\nUSER: no, wait$/)
    terminal.type(`!${key.enter}`)
    assert.strictEqual((await server.asked()).messages.at(-1), "user: no, wait!")
  })

  it("pressed once too often it does not end the conversation", async () => {
    const { asked, terminal } = await asking()
    asked.say("Well")
    await terminal.until("Well")
    terminal.type(key.ctrl("C") + key.ctrl("C"))
    await terminal.until(
      lines("ASSISTANT: Well", "", "ASSISTANT: [stopped]", "", "USER:", "Press Ctrl+C again to end the conversation.")
    )
    terminal.type(`more${key.enter}`)
    assert.strictEqual((await server.asked()).messages.at(-1), "user: more")
  })
})

it("a chat in a dumb terminal gets no escape sequences", async () => {
  const terminal = await chat([], { env: { TERM: "dumb" } })
  terminal.type(`hi\n`)
  ;(await server.asked()).finish("Hello")
  await terminal.until(lines("USER: hi", "", "ASSISTANT: Hello", "", "USER:"))
  assert.notInclude(terminal.written, "\u001b")
  terminal.type("exit\n")
  assert.strictEqual(await terminal.exited, 0)
})

describe("miniagents ask in a terminal", () => {
  it("does not wait for a pipe, and lets the answer steer nothing", async () => {
    const terminal = await startProgram(["ask", "hi"])
    const asked = await server.asked()
    assert.deepStrictEqual(asked.messages, ["user: hi"])
    asked.say("one \u001b[2J")
    await terminal.until("one ␛[2J")
    asked.finish("two")
    assert.strictEqual(await terminal.exited, 0)
    assert.strictEqual(terminal.screen, "one ␛[2Jtwo")
  })

  it("ends on Ctrl+C, with what was said on a line of its own", async () => {
    const terminal = await startProgram(["ask", "hi"])
    const asked = await server.asked()
    asked.say("half")
    await terminal.until("half")
    terminal.type(key.ctrl("C"))
    await asked.hungUp
    assert.strictEqual(await terminal.exited, 130)
    assert.strictEqual(terminal.screen, "half^C\n[stopped]")
  })
})
