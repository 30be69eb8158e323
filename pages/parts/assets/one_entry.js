// Another address of the same page takes the place of the last one in the browser's history.

export default function () {
  if (history.pushState.ofThisApp) return;
  const push = history.pushState;
  const pushOrReplace = function (state, title, url) {
    const samePage = url != null && new URL(url, location.href).pathname === location.pathname;
    return (samePage ? history.replaceState : push).call(history, state, title, url);
  };
  pushOrReplace.ofThisApp = true;
  history.pushState = pushOrReplace;
}
