// Reconnect a page whose stream of answers was cut, and leave without error messages.
(() => {
  // Gradio reloads the page once its stream reports an error. After a phone has slept, the stream may be dead
  // without an error. So if nothing changes for some seconds after the page has become visible, reload it. The
  // conversation's id is in the address, and draft.js keeps unsent text.
  const PATIENCE = 8000;
  const progress = () => {
    if (!document.querySelector("#stop")) return null;
    return [...document.querySelectorAll(".lane .status, .lane .live")].map((part) => part.textContent).join();
  };
  document.addEventListener("visibilitychange", () => {
    const before = progress();
    if (document.hidden || before === null) return;
    setTimeout(() => {
      if (!document.hidden && progress() === before) location.reload();
    }, PATIENCE);
  });

  // Gradio's client logs an error for each request that the browser cancels when the user leaves the page.
  const log = console.error;
  addEventListener("beforeunload", () => {
    console.error = (...parts) => {
      if (!parts.some((part) => /AbortError|Connection errored out/.test(String(part)))) log(...parts);
    };
    setTimeout(() => (console.error = log), 5000);
  });
})();
