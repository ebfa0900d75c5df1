// Small things that the page's components do not do themselves.
(() => {
  window.tandemCopy = (text) => navigator.clipboard?.writeText(text);
  window.tandemDownload = (text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    link.download = "prompt.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // A lane's settings are folded away until they are wanted.
  window.tandemSetUp = (lane) => {
    const open = document.getElementById(`lane-${lane}`).classList.toggle("set-up");
    document.getElementById(`setup-${lane}`).setAttribute("aria-expanded", String(open));
  };

  // So are the decoding parameters that are seldom turned.
  window.tandemMore = () => {
    const open = document.getElementById("bottom").classList.toggle("more");
    document.getElementById("more").setAttribute("aria-expanded", String(open));
  };

  // A lane stays at its end while it grows, unless a person has scrolled away from there.
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
    for (const talk of document.querySelectorAll(".lane > .chat")) {
      if (found.has(talk)) continue;
      found.add(talk);
      talk.tabIndex = 0;
      talk.setAttribute("role", "log");
      follow(talk);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Escape closes the sheet on top.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const sheets = [...document.querySelectorAll(".sheet .close")].filter((button) => button.offsetParent);
    sheets.at(-1)?.click();
  });

  // Whose votes are whose: an id that means nothing, and goes nowhere but here.
  if (!/(^|; )tandem-voter=/.test(document.cookie)) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))];
    const hex = id.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    document.cookie = `tandem-voter=${hex}; max-age=31536000; path=/; samesite=strict`;
  }

  // 1 to 4 vote. In the empty text box a digit may begin a message, so it votes if nothing follows it.
  addEventListener("keydown", (event) => {
    if (!/^[1-4]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const vote = document.getElementById(`vote-${event.key}`);
    const covered = [...document.querySelectorAll(".sheet .close")].some((button) => button.offsetParent);
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

  // The address bar names the conversation, so that a reload or a link finds it again.
  window.tandemAddress = (id) => {
    const address = new URL(location.href);
    if (id) address.searchParams.set("c", id);
    else address.searchParams.delete("c");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
})();
