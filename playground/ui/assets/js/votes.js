// The voter's id, and the keys that vote.
(() => {
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
})();
