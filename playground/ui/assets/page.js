// Browser-side behavior that Gradio's components lack: copying, collapsing, scrolling, drafts, votes, address bar.
(() => {
  window.tandemCopy = (text) => navigator.clipboard?.writeText(text);
  window.tandemDownload = (text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    link.download = "prompt.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // Store values in the browser. Does nothing in browsers that block storage.
  const keep = (name, text, store = "localStorage") => {
    try {
      if (text) window[store].setItem(name, text);
      else window[store].removeItem(name);
    } catch {}
  };
  const kept = (name, store = "localStorage") => {
    try {
      return window[store].getItem(name) ?? "";
    } catch {
      return "";
    }
  };

  // Lane settings and the less common decoding parameters are collapsed by default. The ids of the buttons
  // whose sections are open are stored.
  const open = new Set(kept("tandem-open").split(" ").filter(Boolean));
  const folds = [0, 1, 2, 3].map((lane) => [`setup-${lane}`, `lane-${lane}`, "set-up"]);
  folds.push(["more", "bottom", "more"]);
  const fold = (id) => {
    if (!open.delete(id)) open.add(id);
    keep("tandem-open", [...open].join(" "));
    unfold();
  };
  const unfold = () => {
    for (const [id, holder, name] of folds) {
      const button = document.getElementById(id);
      if (!button) continue;
      document.getElementById(holder)?.classList.toggle(name, open.has(id));
      const state = String(open.has(id));
      if (button.getAttribute("aria-expanded") !== state) button.setAttribute("aria-expanded", state);
    }
  };
  window.tandemSetUp = (lane) => fold(`setup-${lane}`);
  window.tandemMore = () => fold("more");

  // Keep a lane scrolled to the end while it grows, unless the user has scrolled up.
  const follow = (talk) => {
    let atEnd = true;
    talk.addEventListener("scroll", () => {
      atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
    });
    new MutationObserver(() => {
      if (atEnd) talk.scrollTop = talk.scrollHeight;
    }).observe(talk, { childList: true, subtree: true, characterData: true });
  };
  const found = new WeakSet();
  new MutationObserver(() => {
    unfold();
    const box = document.querySelector("#message textarea");
    if (box && !found.has(box)) {
      found.add(box);
      retype(box);
    }
    for (const talk of document.querySelectorAll(".lane > .chat")) {
      if (found.has(talk)) continue;
      found.add(talk);
      follow(talk);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

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

  // Identify the voter by a random id that is sent only to this server.
  if (!/(^|; )tandem-voter=/.test(document.cookie)) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))];
    const hex = id.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    document.cookie = `tandem-voter=${hex}; max-age=31536000; path=/; samesite=strict`;
  }

  // Keys 1 to 4 vote. In the empty message box, a digit may be the start of a message, so it counts as a vote
  // only if nothing follows it.
  addEventListener("keydown", (event) => {
    if (!/^[1-4]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const vote = document.getElementById(`vote-${event.key}`);
    const covered = [...document.querySelectorAll(".dialog .close")].some((button) => button.offsetParent);
    if (!vote?.offsetParent || vote.disabled || covered) return;
    const box = document.activeElement;
    if (!box?.matches("input, textarea, select, [contenteditable]")) {
      vote.click();
    } else if (box.closest("#message") && box.value === "") {
      setTimeout(() => {
        if (box.value !== event.key) return;
        box.value = "";
        box.dispatchEvent(new Event("input", { bubbles: true }));
        vote.click();
      }, 400);
    }
  });

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
  window.tandemAddress = (id, setup) => {
    const probe = parts(setup).filter((part) => part.startsWith("probe="));
    go(id ? [`c=${encodeURIComponent(id)}`, ...probe] : parts(setup));
    keep("tandem-setup", parts(setup).filter((part) => !probe.includes(part)).join("&"));
  };
  window.tandemCopyLink = (link) => tandemCopy(`${location.origin}${location.pathname}?${link}`);
  // Must run before Gradio requests the page from the server, because the server reads the address.
  if (!parts(location.search.slice(1)).some((part) => named.test(part))) go(parts(kept("tandem-setup")));
})();
