// Pictures of one size, seen through windows that always show the same region of all of them.
//
// Zooming never talks to the server. What a visitor looks at is kept here by the widget's key, so that new pictures of
// the same size, or the other mode, show the same region.

const FACTORS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]; // screen pixels a picture pixel: whole, so that all are equal squares
const GAP = 12; // between columns; this and the next as in the style sheet, in CSS pixels
const MAT = { "side by side": 4, wipe: 12 }; // grey around a picture
const CAPTION = { "side by side": 168, wipe: 360 }; // width that the words under a picture need

const WORDS = 84; // height of the words under a picture
const SMALLEST = 160; // where less room than that is left, pictures take what they need and the page is scrolled

const views = new Map();
const viewers = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".viewer");
  if (!viewers.has(root)) viewers.set(root, new Viewer(root));
  const viewer = viewers.get(root);
  viewer.show(data);
  follow(viewer, (text) => setStateValue("dragged", text));
  return () => viewer.close();
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector(".stage");
    this.panels = [];
    root.querySelector(".in").onclick = () => this.step(1);
    root.querySelector(".out").onclick = () => this.step(-1);
    root.querySelector(".whole").onclick = () => this.zoom(0);
    listen(this);
    this.onResize = () => this.panels.length && this.layOut();
    this.observer = new ResizeObserver(this.onResize);
    this.observer.observe(root);
    window.addEventListener("resize", this.onResize); // the browser's own zoom changes the screen pixels
  }

  close() {
    this.observer.disconnect();
    this.unfollow?.();
    window.removeEventListener("resize", this.onResize);
    this.panels.forEach((panel) => URL.revokeObjectURL(panel.url));
    viewers.delete(this.root);
  }

  // New pictures, captions or mode. A picture that did not change is not decoded again.
  show(data) {
    if (data === this.data) return;
    this.data = data;
    const [old, built] = [this.panels, `${this.mode} ${this.panels.length}`];
    Object.assign(this, unpack(data)); // key, label, mode, max_height, width and height of the pictures, panels
    for (const [place, panel] of this.panels.entries()) {
      const kept = old[place] && same(old[place].png, panel.png);
      panel.url = kept ? old[place].url : URL.createObjectURL(new Blob([panel.png], { type: "image/png" }));
    }
    const { key, label, width, height } = this;
    const view = views.get(key);
    const fits = view?.width === width && view.height === height;
    // The middle of what is shown, in pixels of the picture; factor 0 is the whole picture.
    this.view = fits ? view : { width, height, factor: 0, x: width / 2, y: height / 2, wipe: 50 };
    views.set(key, this.view);
    this.root.setAttribute("aria-label", label);
    this.stage.setAttribute("aria-label", `${label}: zoom with + and −, move with the arrow keys, 0 shows all`);
    if (built !== `${this.mode} ${this.panels.length}`) this.build();
    this.fill();
    this.layOut();
    const urls = new Set(this.panels.map((panel) => panel.url));
    for (const { url } of old) if (!urls.has(url)) URL.revokeObjectURL(url);
  }

  // The windows: one for each picture, or one with two layers and a slider across it.
  build() {
    const layer = () => element("div", "layer", Object.assign(element("img"), { draggable: false }));
    this.stage.className = this.mode === "wipe" ? "stage wiping" : "stage";
    if (this.mode === "wipe") {
      this.selects = [this.buildSelect("left"), this.buildSelect("right")];
      this.slider = Object.assign(element("input", "wipe"), { type: "range", min: 0, max: 100, step: 1 });
      this.slider.oninput = () => this.wipe(this.slider.valueAsNumber);
      this.divider = element("div", "divider");
      const mat = element("div", "mat", element("div", "window", layer(), layer(), this.slider, this.divider));
      const captions = element("figcaption", "sides", element("div", "caption"), element("div", "caption"));
      this.stage.replaceChildren(element("figure", "", element("div", "sides", ...this.selects), mat, captions));
    } else {
      const figures = this.panels.map(() =>
        element("figure", "", element("div", "mat", element("div", "window", layer())), element("figcaption", "caption")),
      );
      this.stage.replaceChildren(...figures);
    }
    for (const part of ["window", "layer", "caption"]) this[`${part}s`] = [...this.stage.querySelectorAll(`.${part}`)];
  }

  buildSelect(side) {
    const select = element("select", side);
    select.setAttribute("aria-label", `Image on the ${side}`);
    select.onchange = () => {
      this.view[side] = select.selectedIndex;
      this.fill();
    };
    return select;
  }

  // Pictures, texts and names into the windows there are.
  fill() {
    let shown = this.panels;
    if (this.mode === "wipe") {
      const last = this.panels.length - 1;
      const sides = [Math.min(this.view.left ?? 0, last), Math.min(this.view.right ?? last, last)];
      shown = sides.map((place) => this.panels[place]);
      for (const [side, select] of this.selects.entries()) {
        select.replaceChildren(...this.panels.map(({ title }) => new Option(title)));
        select.selectedIndex = sides[side];
      }
      this.slider.setAttribute("aria-label", `Wipe between ${shown[0].title} (left) and ${shown[1].title} (right)`);
      this.wipe(this.view.wipe);
    }
    for (const [place, panel] of shown.entries()) {
      const image = this.layers[place].firstChild;
      if (image.src !== panel.url) image.src = panel.url;
      image.alt = panel.alt;
      writeCaption(this.captions[place], panel);
    }
  }

  // The right picture lies on the left one and is cut away left of the handle.
  wipe(percent) {
    this.view.wipe = this.slider.value = percent;
    this.slider.setAttribute("aria-valuetext", `${percent}% of the left image`);
    this.divider.style.left = `${percent}%`;
    // Cut at the handle alone: at the other sides the cut would blend the outermost pixels with the grey.
    this.layers[1].style.clipPath = `inset(-1px -1px -1px ${percent}%)`;
  }

  // As many columns as have room, in rows of equal length; the whole picture as large as fits, in whole screen pixels.
  layOut() {
    const room = this.stage.clientWidth;
    if (!room) return; // in a tab that is not open
    const [mat, caption, figures] = [2 * MAT[this.mode], CAPTION[this.mode], this.windows.length];
    const most = clamp(Math.floor((room + GAP) / (caption + GAP)), 1, figures);
    const columns = Math.ceil(figures / Math.ceil(figures / most));
    const widest = Math.floor((room + GAP) / columns) - GAP;
    const highest = columns < figures ? this.max_height : this.inWindow();
    const fit = Math.min((widest - mat) / this.width, highest / this.height);
    const factor = fit * devicePixelRatio;
    this.fit = factor < 1 ? fit : Math.floor(factor) / devicePixelRatio;
    this.frame = { width: this.width * this.fit, height: this.height * this.fit };
    const column = Math.max(Math.ceil(this.frame.width) + mat, Math.min(caption, widest));
    this.stage.style.gridTemplateColumns = `repeat(${columns}, ${column}px)`;
    this.stage.style.setProperty("--frame-width", `${this.frame.width}px`);
    this.stage.style.setProperty("--frame-height", `${this.frame.height}px`);
    // The page keeps its room for them until now; only from outside does its style see this.
    this.root.getRootNode().host?.toggleAttribute("data-laid-out", true);
    this.draw();
  }

  // The most that a picture may be high so that it stands in the window with its words and with ``room_below``.
  inWindow() {
    if (!this.room_below) return this.max_height;
    const scrolled = this.root.closest('[data-testid="stMain"]')?.scrollTop ?? 0;
    const top = this.stage.getBoundingClientRect().top + scrolled;
    const room = innerHeight - top - WORDS - this.room_below;
    return room < SMALLEST ? this.max_height : Math.max(room, this.max_height);
  }

  factors() {
    return [0, ...FACTORS.filter((factor) => factor > this.fit * devicePixelRatio + 1e-6)];
  }

  // CSS pixels a picture pixel.
  scale() {
    return this.view.factor ? this.view.factor / devicePixelRatio : this.fit;
  }

  // The region of the view, into every window alike.
  draw() {
    const { view, frame } = this;
    const factors = this.factors();
    if (!factors.includes(view.factor)) view.factor = 0;
    const scale = this.scale();
    const [right, down] = [frame.width / 2 / scale, frame.height / 2 / scale];
    view.x = clamp(view.x, right, this.width - right);
    view.y = clamp(view.y, down, this.height - down);
    const onScreen = (length) => Math.round(length * devicePixelRatio) / devicePixelRatio;
    const exact = scale * devicePixelRatio;
    for (const { firstChild: image } of this.layers) {
      image.style.width = `${this.width * scale}px`;
      image.style.height = `${this.height * scale}px`;
      image.style.left = `${onScreen((right - view.x) * scale)}px`;
      image.style.top = `${onScreen((down - view.y) * scale)}px`;
      image.style.imageRendering = exact < 1 ? "auto" : "pixelated";
    }
    this.stage.classList.toggle("zoomed", view.factor > 0);
    this.root.querySelector(".readout").value = `${exact < 1 ? exact.toFixed(2) : Math.round(exact)}×`;
    this.root.querySelector(".out").ariaDisabled = view.factor === 0;
    this.root.querySelector(".whole").ariaDisabled = view.factor === 0;
    this.root.querySelector(".in").ariaDisabled = view.factor === factors.at(-1);
  }

  // To the largest factor up to the one wanted. The place ``from`` (CSS pixels from the middle of the window) stays.
  zoom(wanted, from = { x: 0, y: 0 }) {
    const before = this.scale();
    this.view.factor = this.factors().findLast((factor) => factor <= wanted);
    this.move(from.x / before - from.x / this.scale(), from.y / before - from.y / this.scale());
  }

  step(direction, from) {
    const factors = this.factors();
    this.zoom(factors[clamp(factors.indexOf(this.view.factor) + direction, 0, factors.length - 1)], from);
  }

  // By pixels of the picture.
  move(right, down) {
    this.view.x += right;
    this.view.y += down;
    this.draw();
  }
}

// Four bytes with the length of the header, the header as JSON, the PNG files one after the other.
function unpack(bytes) {
  let end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, end)));
  for (const panel of header.panels) panel.png = bytes.subarray(end, (end += panel.bytes));
  return header;
}

function same(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function element(tag, className = "", ...children) {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...children);
  return made;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
