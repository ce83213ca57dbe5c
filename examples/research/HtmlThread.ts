/** The other side of `HtmlWorker`: reads one page and ends. It loads nothing else, so that it is there soon. */
import { parentPort, workerData } from "node:worker_threads"
import * as Html from "./Html.ts"

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
parentPort?.postMessage(Html.toMarkdown(String(workerData)))
