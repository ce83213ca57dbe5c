/** Several lines pasted into the chat are one message: with brackets, and from a terminal that has none (SSH, tmux, old consoles). */
import { tmpdir } from "node:os"
import * as L from "./lib.ts"
import { mkdtempSync, rmSync } from "node:fs"
import { spawn } from "node:child_process"
import { envOf, main } from "./cli.ts"
const script = `import os,pty,sys,select,time
keys=bytes.fromhex(sys.argv[1])
pid,fd=pty.fork()
if pid==0: os.execvp(sys.argv[2],sys.argv[2:])
def read(sec):
  out=b"";end=time.time()+sec
  while time.time()<end:
    r,_,_=select.select([fd],[],[],0.1)
    if r:
      try: out+=os.read(fd,65536)
      except OSError: break
  return out
o=b"";t=time.time()+20
while b"USER" not in o and time.time()<t: o+=read(0.3)
os.write(fd,keys);read(1.5)
os.write(fd,b"\\r");read(2)
os.write(fd,b"\\x03");read(0.5);os.write(fd,b"\\x03");read(1)
os.kill(pid,15)`
const asked = async (keys: string) => {
  const server = await L.serve((r, asked) =>
    asked.body === undefined
      ? L.json(r, 200, { data: [{ id: "m" }] })
      : L.sse(r, [L.chunk({ content: "ok" }), L.chunk({}, "stop"), L.DONE])
  )
  const dir = mkdtempSync(`${tmpdir()}/paste-`)
  await new Promise((resolve) =>
    spawn("python3", ["-c", script, Buffer.from(keys).toString("hex"), process.execPath, main, "chat"], {
      cwd: dir,
      env: { ...process.env, ...envOf(server.url), TERM: "xterm-256color" }
    }).on("close", resolve)
  )
  rmSync(dir, { recursive: true })
  return server.asked.filter((a) => a.body).map((a) => a.body.messages.at(-1).content)
}
const bracketed = await asked("\x1b[200~def f():\n\treturn 1\x1b[201~")
const bare = await asked("def f():\r\treturn 1")
L.verdict("40 pasted lines are one message", [
  JSON.stringify(bracketed) !== '["def f():\\n\\treturn 1"]' && `with brackets: ${JSON.stringify(bracketed)}`,
  bare.length !== 1 && `without brackets they are ${bare.length} messages: ${JSON.stringify(bare)}`
])
