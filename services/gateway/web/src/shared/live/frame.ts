/** Frames: work that waits for the screen to be drawn, and is still done when the tab is hidden. */

const HIDDEN_MS = 1000

/** Does its argument with the next frame, but so often at most: under a flood the page has other things to do too. */
export function paced(everyMs: number): (act: () => void) => void {
  let lastAt = -Infinity
  return (act) => {
    const run = () => {
      lastAt = performance.now()
      act()
    }
    // A hidden tab draws no frames; its stores must not pile up what waits for one.
    if (document.visibilityState === 'hidden') setTimeout(run, HIDDEN_MS)
    else if (performance.now() - lastAt >= everyMs) requestAnimationFrame(run)
    else setTimeout(() => requestAnimationFrame(run), everyMs - (performance.now() - lastAt))
  }
}
