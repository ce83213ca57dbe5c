/** Puts the page together. */
import { render } from "preact"
import { App } from "./App.tsx"
import { restoreTheme } from "./around/Header.tsx"
import { Store } from "./state/store.ts"

restoreTheme()
render(<App store={new Store()} />, document.body)
