// What a visitor does to the pictures with keys, wheel, pointer and fingers. The buttons can do the same, bar moving.

const WHEEL_TRAVEL = 40; // less than a notch of any mouse; gathers the small steps of a touch pad
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEPS = { "+": 1, "=": 1, "-": -1, _: -1 };

function listen(viewer) {
  const { root, stage } = viewer;
  const pointers = new Map(); // those that are down
  let pinch = null;
  let travel = 0;

  root.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    if (event.key in STEPS) viewer.step(STEPS[event.key]);
    else if (event.key === "0") viewer.zoom(0);
    else if (event.key in ARROWS && viewer.view.factor && event.target !== viewer.slider) {
      const [right, down] = ARROWS[event.key];
      const far = Math.ceil(Math.min(viewer.frame.width, viewer.frame.height) / viewer.scale() / 8);
      viewer.move(right * far, down * far);
    } else return; // the browser's: arrows scroll the page while the whole picture is shown
    event.preventDefault();
  };

  // Without Ctrl the wheel scrolls the page, always. A pinch on a touch pad arrives as a wheel with Ctrl.
  const onWheel = (event) => {
    if (!(event.ctrlKey || event.metaKey) || !windowUnder(event)) return;
    event.preventDefault();
    travel += event.deltaY * (event.deltaMode ? WHEEL_TRAVEL : 1);
    if (Math.abs(travel) < WHEEL_TRAVEL) return;
    viewer.step(travel < 0 ? 1 : -1, fromMiddle(event));
    travel = 0;
  };
  stage.addEventListener("wheel", onWheel, { passive: false });

  stage.ondblclick = (event) => {
    if (!windowUnder(event) || event.target === viewer.slider) return;
    const closer = Math.max(4, 2 * viewer.fit * devicePixelRatio);
    viewer.zoom(viewer.view.factor ? 0 : closer, fromMiddle(event));
  };

  // One pointer moves the pictures; two zoom by how far they are apart.
  stage.onpointerdown = (event) => {
    if (event.button || !windowUnder(event) || event.target === viewer.slider) return;
    windowUnder(event).setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    pinch = { spread: spread(), factor: viewer.scale() * devicePixelRatio };
  };
  stage.onpointermove = (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    pointers.set(event.pointerId, event);
    if (pointers.size > 1) viewer.zoom((pinch.factor * spread()) / pinch.spread);
    else viewer.move((before.clientX - event.clientX) / viewer.scale(), (before.clientY - event.clientY) / viewer.scale());
  };
  stage.onpointerup = stage.onpointercancel = (event) => pointers.delete(event.pointerId);

  function spread() {
    const [a, b = a] = pointers.values();
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  }
}

function windowUnder(event) {
  return event.target.closest(".window");
}

// CSS pixels from the middle of the window.
function fromMiddle(event) {
  const box = windowUnder(event).getBoundingClientRect();
  return { x: event.clientX - box.x - box.width / 2, y: event.clientY - box.y - box.height / 2 };
}
