/** Frames: work that is done once per frame of the screen, and still done when the tab is hidden. */

const HIDDEN_MS = 1000

export function onNextFrame(act: () => void): void {
  // A hidden tab draws no frames; its stores must not pile up what waits for one.
  if (document.visibilityState === 'hidden') setTimeout(act, HIDDEN_MS)
  else requestAnimationFrame(act)
}
