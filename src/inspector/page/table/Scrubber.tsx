/** The line of time below the table: any moment of the run, played at any speed. */

import type { Store } from "../state/store.ts"

const speeds = [0.25, 1, 4, 16]

export const Scrubber = ({ store }: { readonly store: Store }) => {
  const { live, route, speed } = store
  const t = route.t ?? store.now
  const chosen = speed === 0 ? 1 : speed
  const isNow = route.t === undefined
  const toggle = () => {
    if (speed > 0) return store.play(0)
    if (isNow) store.seek(0)
    store.play(chosen)
  }
  return (
    <div class="scrubber" role="group" aria-label="Time">
      <button class="icon" aria-label={speed > 0 ? "Stop" : "Play"} title="Play and stop (Space)" onClick={toggle}>
        {speed > 0 ? "❚❚" : "▶"}
      </button>
      <input
        type="range"
        min={0}
        max={Math.max(1, Math.round(store.end))}
        step={1}
        value={Math.round(t)}
        aria-label="Moment"
        aria-valuetext={store.time(t)}
        onInput={(event) => {
          store.play(0)
          store.seek(Number(event.currentTarget.value))
        }}
      />
      <output>
        {store.time(t)} <small>of {store.duration(store.end)}</small>
      </output>
      <select
        aria-label="Speed"
        value={String(chosen)}
        onChange={(event) => store.speed > 0 && store.play(Number(event.currentTarget.value))}
      >
        {speeds.map((each) => (
          <option key={each} value={String(each)}>
            {each}×
          </option>
        ))}
      </select>
      <button aria-pressed={isNow} onClick={() => store.seek(undefined)} title="What goes on now (l)">
        {live.about?.live === true ? "Live" : "End"}
      </button>
    </div>
  )
}
