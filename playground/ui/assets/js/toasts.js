// Place toasts where they cover no control: above the message box or, while a dialog is open, below the dialog or
// above its last row of buttons.
(() => {
  const GAP = 10;
  const ROOM = 96; // height of a toast with two lines
  const edge = () => {
    const dialog = [...document.querySelectorAll(".dialog")].filter((each) => each.getClientRects().length).at(-1);
    if (!dialog) return document.getElementById("bottom")?.getBoundingClientRect().top ?? innerHeight;
    const { bottom } = dialog.getBoundingClientRect();
    if (innerHeight - bottom > ROOM) return innerHeight;
    const foot = [...dialog.querySelectorAll(".dialog-foot")].filter((each) => each.getClientRects().length).at(-1);
    return foot?.getBoundingClientRect().top ?? bottom;
  };
  const place = () => {
    const bottom = `${Math.max(0, innerHeight - edge()) + GAP}px`;
    const { style } = document.documentElement;
    if (style.getPropertyValue("--toast-bottom") !== bottom) style.setProperty("--toast-bottom", bottom);
  };
  const soon = tandemOncePerFrame(place);
  const changed = () => {
    if (document.querySelector(".toast-body")) soon();
  };
  new MutationObserver(changed).observe(document.documentElement, { childList: true, subtree: true });
  addEventListener("resize", changed);
})();
