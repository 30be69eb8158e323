// Another address of the same page takes the place of the last one in the browser's history. And after Back or Forward the
// address stays where the visitor went: Streamlit would still write the page that was on its way when the button was
// pressed, as a new entry, and the next Back would lead to the wrong page.

export default function () {
  if (history.pushState.ofThisApp) return;
  const push = history.pushState;
  let wentTo = null; // by Back or Forward, until the visitor does something else
  addEventListener("popstate", () => { wentTo = location.pathname; });
  for (const done of ["pointerdown", "keydown"]) {
    document.addEventListener(done, () => { wentTo = null; }, true);
  }
  const pushOrReplace = function (state, title, url) {
    const path = url == null ? location.pathname : new URL(url, location.href).pathname;
    if (wentTo !== null && path !== wentTo) return undefined;
    return (path === location.pathname ? history.replaceState : push).call(history, state, title, url);
  };
  pushOrReplace.ofThisApp = true;
  history.pushState = pushOrReplace;
}
