// The address bar, and the settings stored for the next visit.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;

  // The address bar contains the conversation's id, so that a reload or a link reopens the conversation.
  // Without a conversation, it contains the settings that differ from a fresh page. All settings except the
  // probe are also stored for the next visit.
  const named = /^(c|lane|linked|history|probe|new_seed|temperature|top_p|top_k|min_p|repetition_penalty|penalty_scope|max_new_tokens|seed|stop|[abcd]\.\w+)=/;
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
  window.tandemAddress = (id, setup) => {
    if (id !== shown) dispatchEvent(new CustomEvent("tandem-conversation"));
    shown = id;
    const probe = parts(setup).filter((part) => part.startsWith("probe="));
    go(id ? [`c=${encodeURIComponent(id)}`, ...probe] : parts(setup));
    keep("tandem-setup", parts(setup).filter((part) => !probe.includes(part)).join("&"));
  };
  window.tandemCopyLink = (link) => tandemCopy(`${location.origin}${location.pathname}?${link}`);
  // Must run before Gradio requests the page from the server, because the server reads the address.
  if (!parts(location.search.slice(1)).some((part) => named.test(part))) go(parts(kept("tandem-setup")));
})();
