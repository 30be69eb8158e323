// Rows of thumbnails; a click tells the page the class and the number within it.

export default function ({ data, parentElement, setTriggerValue }) {
  const rows = data.map(({ title, images, class_name }) => {
    const buttons = images.map(({ number, alt, src }) => {
      const button = element("button", { type: "button", title: alt });
      button.append(element("img", { src, alt }));
      button.onclick = () => setTriggerValue("clicked", { class_name, number });
      return button;
    });
    const row = element("section", { className: "row" });
    const strip = element("div", { className: "images" });
    strip.append(...buttons);
    row.append(element("h4", { textContent: title }), strip);
    return row;
  });
  parentElement.querySelector(".grid").replaceChildren(...rows);
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
