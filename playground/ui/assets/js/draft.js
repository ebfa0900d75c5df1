// The unsent message: keep it across reloads, and count its tokens while it is typed.
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

  // Count the draft's tokens once the user pauses. While answers are streamed, nothing is counted: the page
  // counts the draft again when they end.
  const PAUSE = 350;
  let timer = null;
  const count = () => {
    const stop = document.getElementById("stop");
    if (!stop?.getClientRects().length) document.getElementById("count-draft")?.click();
  };
  addEventListener("input", ({ target }) => {
    if (!target.closest?.("#message")) return;
    clearTimeout(timer);
    timer = setTimeout(count, PAUSE);
  }, true);

  let found = null;
  new MutationObserver(() => {
    const box = document.querySelector("#message textarea");
    if (!box || box === found) return;
    found = box;
    retype(box);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
