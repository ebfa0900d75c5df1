// Two small things that the page's components do not do themselves.
(() => {
  // The chat's text reaches the page with references and tags of ours in place of characters that could act
  // (render.py, `markdown`). What is copied is what was written.
  const characters = (text) =>
    text.replaceAll("&#0160;", " ").replace(/&#(\d{4,7});/g, (_, code) => String.fromCodePoint(Number(code)));
  const written = (text) =>
    characters(
      text
        .replace(/<div class="(?:by|waiting|notice)[^>]*>.*?<\/div>\n*/g, "")
        .replace(
          /<pre class="(ticks|tildes)-(\d+)"(?: title="([^"]*)")?><code>(.*?)<\/code><\/pre>/g,
          (_, kind, count, language, code) => {
            const fence = (kind === "ticks" ? "`" : "~").repeat(Number(count));
            return `${fence}${language ?? ""}\n${code}\n${fence}`;
          },
        )
        .replace(/<code class="ticks-(\d+)">(.*?)<\/code>/g, (_, count, code) => {
          const ticks = "`".repeat(Number(count));
          return ticks + code + ticks;
        }),
    );
  const clipboard = navigator.clipboard;
  if (clipboard) {
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => write(written(text));
  }

  // A prompt is copied and saved as it is, marks of ours or not.
  window.tandemCopy = (text) => clipboard && Object.getPrototypeOf(clipboard).writeText.call(clipboard, text);
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

  // Escape closes the sheet on top.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const sheets = [...document.querySelectorAll(".sheet .close")].filter((button) => button.offsetParent);
    sheets.at(-1)?.click();
  });

  // The address bar names the conversation, so that a reload or a link finds it again.
  window.tandemAddress = (id) => {
    const address = new URL(location.href);
    if (id) address.searchParams.set("c", id);
    else address.searchParams.delete("c");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
})();
