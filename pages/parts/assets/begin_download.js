// Presses a download button that has just been drawn, for somebody who has asked for its file before it was made.
// A button with a help text has another one around it, which does nothing.

export default function ({ data }) {
  const press = (tries) => {
    const button = document.querySelector(`.${data.button} button[data-testid^="stBaseButton"]`);
    if (button) button.click();
    else if (tries > 0) setTimeout(() => press(tries - 1), 100);
  };
  press(600); // a minute: on a busy machine the button is drawn late
}
