// The words under a picture: title, lines with **bold** numbers, and behind a button what the short form leaves out.

function writeCaption(caption, { title, lines, note }) {
  const text = JSON.stringify([title, lines, note]);
  if (caption.dataset.text === text) return; // so that an open note stays open and focused
  caption.dataset.text = text;
  const heading = element("div", "title", title);
  if (note) heading.append(buildNote(title, note));
  caption.replaceChildren(heading, ...lines.map((line) => element("p", "", ...formatted(line))));
}

// Bold as asked for; and no line break within δ = 1e-5.
function formatted(line) {
  return line.split(/(\*\*.+?\*\*|\S+ = [^\s*]+)/).map((part, place) => {
    if (place % 2 === 0) return part;
    return part.startsWith("**") ? element("strong", "", part.slice(2, -2)) : element("span", "together", part);
  });
}

// Opens when the pointer rests on it, when it has the focus, and at a tap; Escape and leaving close it.
function buildNote(title, note) {
  const button = Object.assign(element("button", "ask", "?"), { type: "button" });
  button.setAttribute("aria-label", `More about ${title}`);
  button.setAttribute("aria-description", note);
  const detail = Object.assign(element("div", "detail", note), { popover: "auto" });
  const open = () => {
    if (detail.matches(":popover-open")) return;
    detail.showPopover();
    const [spot, box] = [button.getBoundingClientRect(), detail.getBoundingClientRect()];
    const top = spot.bottom + box.height < innerHeight ? spot.bottom : spot.top - box.height;
    detail.style.left = `${clamp(spot.x, 8, document.documentElement.clientWidth - box.width - 8)}px`;
    detail.style.top = `${top}px`;
  };
  const both = element("span", "", button, detail);
  both.onpointerenter = button.onfocus = button.onclick = open;
  both.onpointerleave = button.onblur = () => detail.hidePopover();
  return both;
}
