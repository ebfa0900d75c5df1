// Keep unsent text across reloads.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // Keep unsent text across reloads, because the page reloads itself after a server restart.
  addEventListener("pagehide", () => {
    keep("tandem-draft", document.querySelector("#message textarea")?.value, "sessionStorage");
  });
  const retype = (box) => {
    const text = kept("tandem-draft", "sessionStorage");
    keep("tandem-draft", "", "sessionStorage");
    if (!text || box.value) return;
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  let found = null;
  new MutationObserver(() => {
    const box = document.querySelector("#message textarea");
    if (!box || box === found) return;
    found = box;
    retype(box);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
