// Scrolling of the lanes.
(() => {
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
    for (const talk of document.querySelectorAll(".lane > .chat")) {
      if (found.has(talk)) continue;
      found.add(talk);
      follow(talk);
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
