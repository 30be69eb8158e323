// A hundred people as dots, and a slider over ε that they follow. All figures and sentences come from the page.

const NS = "http://www.w3.org/2000/svg";
const PITCH = 12;
const [COLUMNS, COLUMNS_SMALL, COLUMNS_NARROW] = [20, 25, 10];
const NARROW = 480; // of the widget, in CSS pixels
const THUMB = 16; // of the slider, in CSS pixels: its middle stops half of that before the ends
const positions = new Map(); // by the widget's key: what somebody has chosen survives new figures
const watched = new WeakSet();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".exposure");
  const chosen = positions.get(data.key) ?? { label: null, rate: data.alarms[0].rate, open: false };
  const own = data.stops.find((stop) => stop.own).label;
  if (chosen.own !== own) Object.assign(chosen, { own, label: null }); // it begins at what holds
  positions.set(data.key, chosen);
  root.exposure = { data, chosen, want: () => setTriggerValue("wanted", true) };
  if (!watched.has(root)) listen(root);
  watched.add(root);
  build(root);
  draw(root);
}

// The marks and the rates, which change with the figures.
function build(root) {
  const { data, chosen } = root.exposure;
  root.classList.toggle("small", data.small);
  const slider = root.querySelector("input[type=range]");
  slider.max = data.stops.length - 1;
  const last = data.stops.length - 1;
  const shown = data.stops
    .map((stop, place) => ({ ...stop, place, end: place === 0 || place === last }))
    .filter(({ named, own, end }) => named || own || end);
  root.querySelector(".marks").replaceChildren(
    ...shown
      .filter(({ own, place }) => own || !shown.some((other) => other.own && near(other.place, place, data)))
      .map(({ label, own, end, place }) => {
        const className = own ? "own" : end ? "end" : "";
        const mark = element("button", { type: "button", tabIndex: -1, textContent: label, className });
        const share = place / last;
        mark.style.left = `calc(${THUMB / 2}px + ${share} * (100% - ${THUMB}px))`;
        mark.onclick = () => choose(root, place);
        return mark;
      }),
  );
  const rates = root.querySelector(".alarms");
  rates.replaceChildren(
    rates.firstElementChild,
    ...data.alarms.map(({ rate, of_hundred }) => {
      const input = element("input", { type: "radio", name: `rate-${data.key}`, checked: rate === chosen.rate });
      input.onchange = () => {
        chosen.rate = rate;
        draw(root);
      };
      const label = element("label", {});
      label.append(input, `${of_hundred} of 100`);
      return label;
    }),
  );
}

// Two marks so near that their numbers would stand on each other.
function near(one, other, { stops }) {
  return one !== other && Math.abs(one - other) / stops.length < 0.09;
}

function listen(root) {
  const slider = root.querySelector("input[type=range]");
  // Once for these figures: computing them takes a second.
  root.want = () => {
    const { data, want } = root.exposure;
    if (root.asked === data || data.stops.every(({ found }) => Object.keys(found).length)) return;
    root.asked = data;
    want();
  };
  slider.oninput = () => choose(root, Number(slider.value));
  for (const event of ["pointerenter", "pointerdown", "focusin"]) root.querySelector(".control").addEventListener(event, root.want);
  root.querySelector(".back").onclick = () => {
    choose(root, root.exposure.data.stops.findIndex(({ own }) => own));
    slider.focus();
  };
  root.querySelector(".more").onclick = () => {
    root.exposure.chosen.open = !root.exposure.chosen.open;
    draw(root);
    if (root.exposure.chosen.open) root.want();
  };
}

function choose(root, place) {
  const { data, chosen } = root.exposure;
  const stop = data.stops[place];
  chosen.label = stop.own ? null : stop.label;
  draw(root);
}

function draw(root) {
  const { data, chosen } = root.exposure;
  const own = data.stops.findIndex((stop) => stop.own);
  const found = data.stops.findIndex((stop) => !stop.own && stop.label === chosen.label);
  const place = found < 0 ? own : found;
  const stop = data.stops[place];
  const known = chosen.rate in stop.found;
  const alarms = data.alarms.find(({ rate }) => rate === chosen.rate).of_hundred;
  const says = known ? stop.says[chosen.rate] : "Working out what the same training gives away with other noise…";
  const slider = root.querySelector("input[type=range]");
  if (!known) root.want();
  slider.value = place;
  slider.setAttribute("aria-valuetext", `ε = ${stop.label}, ${stop.about}. ${says}`);
  root.classList.toggle("open", chosen.open);
  const more = root.querySelector(".more");
  more.setAttribute("aria-expanded", String(chosen.open));
  root.querySelector(".says").replaceChildren(...unbroken(says));
  root.querySelector("output").textContent = stop.label;
  root.querySelector(".about p").replaceChildren(...unbroken(known ? stop.about : says));
  root.querySelector(".back").hidden = place === own;
  root.querySelector(".basis").replaceChildren(...unbroken(data.basis));
  const columns = data.small ? COLUMNS_SMALL : root.clientWidth < NARROW ? COLUMNS_NARROW : COLUMNS;
  const crowds = [
    [known ? stop.found[chosen.rate] : null, data.captions[0]],
    [alarms, data.captions[1]],
  ];
  root.querySelectorAll("figure").forEach((figure, side) => {
    const [number, [what, whose]] = crowds[side];
    const svg = figure.querySelector("svg");
    dots(svg, number === null ? 0 : Number(number), columns, side === 1);
    const most = side === 0 && Number(number) < 100 ? "at most " : "";
    const figures = `${most}${number ?? "…"} of 100`;
    svg.setAttribute("aria-label", number === null ? says : `${figures} ${what}, ${whose}`);
    figure.querySelector("figcaption").replaceChildren(
      element("b", { textContent: figures }), ` ${what}`, element("span", { textContent: `, ${whose}` }),
    );
  });
}

// A hundred dots, the first of them filled; of the last one as much as is left. The others are diamonds: not by colour alone.
function dots(svg, count, columns, diamonds) {
  const rows = 100 / columns;
  svg.setAttribute("viewBox", `0 0 ${columns * PITCH} ${rows * PITCH}`);
  const marks = [];
  for (let place = 0; place < 100; place++) {
    const [x, y] = [(place % columns) * PITCH + PITCH / 2, Math.floor(place / columns) * PITCH + PITCH / 2];
    const part = Math.min(1, Math.max(0, count - place));
    marks.push(shape("none", x, y, 4.2, diamonds));
    if (part > 0) {
      const mark = shape("hit", x, y, 4.9, diamonds);
      if (part < 1) mark.style.clipPath = `inset(0 ${(1 - part) * 100}% 0 0)`;
      marks.push(mark);
    }
  }
  svg.replaceChildren(...marks);
}

function shape(name, x, y, size, diamond) {
  const mark = document.createElementNS(NS, diamond ? "path" : "circle");
  const values = diamond
    ? { d: `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z` }
    : { cx: x, cy: y, r: size };
  mark.setAttribute("class", name);
  for (const [key, value] of Object.entries(values)) mark.setAttribute(key, value);
  return mark;
}

// No line break within δ = 1e-5.
function unbroken(text) {
  const parts = text.split(/(\(?[εδ] = [^\s;)]+[;)]?)/);
  return parts.map((part, place) => (place % 2 ? element("span", { className: "together", textContent: part }) : part));
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
