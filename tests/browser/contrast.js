// What is written fainter than it must be (4.5 : 1, large letters and icons 3 : 1), from the colours as computed.
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const ancestors = (element) => (element ? [...ancestors(element.parentElement), element] : []);
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement;
    const style = getComputedStyle(element);
    const shown = node.nodeValue.trim() && style.visibility === "visible" && element.getClientRects().length;
    // What cannot be used is faint on purpose; the number of a slider stands above its thumb, not on it.
    if (!shown || element.closest("script, style, :disabled, [aria-disabled=true], .katex-mathml")) continue;
    const chain = ancestors(element.closest(".stSlider") ?? element);
    const opacity = ancestors(element).reduce((product, each) => product * getComputedStyle(each).opacity, 1);
    if (opacity === 0) continue;
    const behind = chain.reduce((colour, each) => over(rgba(getComputedStyle(each).backgroundColor), colour), [255, 255, 255]);
    const ink = rgba(element.closest("svg") ? style.fill : style.color);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) || style.fontFamily.includes("Material");
    const found = ratio(over([...ink.slice(0, 3), ink[3] * opacity], behind), behind);
    if (found < (large ? 3 : 4.5)) faint.add(`${node.nodeValue.trim().slice(0, 40)}: ${found.toFixed(2)}`);
  }
  return [...faint];
}
