// The voter's id, and clicks on the vote buttons.
(() => {
  // Identify the voter by a random id that is sent only to this server.
  if (!/(^|; )tandem-voter=/.test(document.cookie)) {
    const id = [...crypto.getRandomValues(new Uint8Array(16))];
    const hex = id.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    document.cookie = `tandem-voter=${hex}; max-age=31536000; path=/; samesite=strict`;
  }

  // The second click of a double click would withdraw the vote.
  addEventListener(
    "click",
    (event) => {
      if (event.detail > 1 && event.target.closest?.("#votes button")) event.stopImmediatePropagation();
    },
    true,
  );
})();
