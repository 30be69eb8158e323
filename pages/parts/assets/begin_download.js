// Presses a download button that has just been drawn, for somebody who has asked for its file before it was made.

export default function ({ data }) {
  const press = (tries) => {
    const button = document.querySelector(`.${data.button} button`);
    if (button) button.click();
    else if (tries > 0) setTimeout(() => press(tries - 1), 100);
  };
  press(20);
}
