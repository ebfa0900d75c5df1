// The address bar, and the settings stored for the next visit.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // The address bar contains the conversation's id, so that a reload or a link reopens the conversation.
  // Without a conversation, it contains the settings that differ from a fresh page. All settings except the
  // probe are also stored for the next visit.
  const named = /^(c|resume|lane|linked|history|probe|new_seed|temperature|top_p|top_k|min_p|repetition_penalty|penalty_scope|max_new_tokens|seed|stop|[abcd]\.\w+)=/;
  const parts = (query) => query.split("&").filter(Boolean);
  const go = (ours) => {
    const theirs = parts(location.search.slice(1)).filter((part) => !named.test(part));
    const query = [...theirs, ...ours].join("&");
    const address = location.pathname + (query && `?${query}`) + location.hash;
    if (address !== location.pathname + location.search + location.hash) {
      history.replaceState(history.state, "", address);
    }
  };
  let shown = "";
  let startedAt = -Infinity; // when the user started answers
  window.tandemAddress = (id, setup) => {
    // A conversation was left. (When one arrives, the page may already be reloading without it in its address.)
    if (!id && shown) startedAt = -Infinity;
    if (id !== shown) dispatchEvent(new CustomEvent("tandem-conversation"));
    shown = id;
    const probe = parts(setup).filter((part) => part.startsWith("probe="));
    go(id ? [`c=${encodeURIComponent(id)}`, ...probe] : parts(setup));
    keep("tandem-setup", parts(setup).filter((part) => !probe.includes(part)).join("&"));
  };
  // Settings often change several at a time, and reading them all takes tens of milliseconds. While the page
  // loads, they are not read: that is done once at the end.
  window.tandemChanged = tandemOncePerFrame(() => {
    if (!document.getElementById("skeleton")) document.getElementById("changed")?.click();
  });
  window.tandemCopyLink = (link) => tandemCopy(`${location.origin}${location.pathname}?${link}`);
  // Must run before Gradio requests the page from the server, because the server reads the address.
  if (!parts(location.search.slice(1)).some((part) => named.test(part))) go(parts(kept("tandem-setup")));

  // A page reloaded right after Send may not have received the new conversation's id yet. The server then
  // opens the conversation in which this browser started answers last.
  const STARTS = "#send, #examples button, #probing button, #tour button, .start-tour button";
  addEventListener("click", ({ target }) => {
    if (target.closest?.(STARTS)) startedAt = Date.now();
  }, true);
  addEventListener("keydown", ({ target, key, shiftKey }) => {
    if (key === "Enter" && !shiftKey && target.closest?.("#message")) startedAt = Date.now();
  }, true);
  addEventListener("pagehide", () => {
    keep("tandem-started", Date.now() - startedAt < 10000 ? String(Date.now()) : "", "sessionStorage");
  });
  const justStarted = Date.now() - Number(kept("tandem-started", "sessionStorage")) < 20000;
  const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
  const query = parts(location.search.slice(1));
  if (justStarted && reloaded && !query.some((part) => part.startsWith("c="))) go([...query, "resume=1"]);
})();
