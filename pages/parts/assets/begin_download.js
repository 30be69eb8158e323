// Presses a download button that has just been drawn, for somebody who has asked for its file before it was made: once
// for each time that it was asked for, however often the page is drawn.
// A button with a help text has another one around it, which does nothing.

const begun = (window.medprivBegun ??= new Set());

export default function ({ data }) {
  const { asked, button } = data;
  const press = (tries) => {
    if (begun.has(asked)) return;
    const found = document.querySelector(`.${button} button[data-testid^="stBaseButton"]`);
    if (found) {
      begun.add(asked);
      found.click();
    } else if (tries > 0) setTimeout(() => press(tries - 1), 100);
  };
  press(600); // a minute: on a busy machine the button is drawn late
}
