// Two small things that the page's components do not do themselves.
(() => {
  // The chat's text reaches the page with references and tags of ours in place of characters that could act
  // (render.py, `markdown`). What is copied is what was written.
  const characters = (text) => text.replace(/&#(\d{4,7});/g, (_, code) => String.fromCodePoint(Number(code)));
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

  // The address bar names the conversation, so that a reload or a link finds it again.
  window.tandemAddress = (id) => {
    const address = new URL(location.href);
    if (id) address.searchParams.set("c", id);
    else address.searchParams.delete("c");
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  };
})();
