// Reconnect a page whose stream of answers was cut.
(() => {
  // Gradio reloads the page once its stream reports an error. After a phone has slept, the stream may be dead
  // without an error. So if nothing changes for some seconds after the page has become visible, reload it. The
  // conversation's id is in the address, and draft.js keeps unsent text.
  const PATIENCE = 8000;
  const progress = () => {
    if (!tandemWriting()) return null;
    return [...document.querySelectorAll(".lane .status, .lane .live")].map((part) => part.textContent).join();
  };
  document.addEventListener("visibilitychange", () => {
    const before = progress();
    if (document.hidden || before === null) return;
    setTimeout(() => {
      if (!document.hidden && progress() === before) location.reload();
    }, PATIENCE);
  });
})();
