// Pictures that follow a slider while it is dragged. Streamlit sends its value when it is let go; what it shows until then
// is sent from here, the next position when the pictures of the last one have come.

const RELEASE_MS = 200;
const LABEL = '[data-testid="stSliderThumbValue"]';

function follow(viewer, send) {
  viewer.send = send;
  viewer.answered?.();
  if (!viewer.follows || viewer.unfollow) return;
  let slider = null; // that is held down
  let [sent, waiting] = [null, false];
  const watch = new MutationObserver(() => tell());

  function tell() {
    const text = slider?.querySelector(LABEL)?.textContent ?? null;
    if (waiting || text === null || text === sent) return;
    [sent, waiting] = [text, true];
    viewer.send(text);
  }
  viewer.answered = () => {
    waiting = false;
    if (slider) tell();
  };
  const onDown = (event) => {
    slider = event.target.closest?.(`.st-key-${CSS.escape(viewer.follows)}`) ?? null;
    if (!slider) return;
    sent = slider.querySelector(LABEL)?.textContent ?? null; // where it is already
    watch.observe(slider, { subtree: true, childList: true, characterData: true });
  };
  const onUp = () => {
    watch.disconnect();
    // After Streamlit's own message with the slider's value, so that the old value is not shown in between.
    if (slider) setTimeout(() => slider || viewer.send(null), RELEASE_MS);
    [slider, sent, waiting] = [null, null, false];
  };
  document.addEventListener("pointerdown", onDown, true);
  document.addEventListener("pointerup", onUp, true);
  document.addEventListener("pointercancel", onUp, true);
  viewer.unfollow = () => {
    watch.disconnect();
    document.removeEventListener("pointerdown", onDown, true);
    document.removeEventListener("pointerup", onUp, true);
    document.removeEventListener("pointercancel", onUp, true);
  };
}
