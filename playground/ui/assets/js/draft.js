// The unsent message: keep it across reloads and when the server sets the box, and count its tokens.
(() => {
  const { tandemKeep: keep, tandemKept: kept } = window;
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value");
  let found = null;
  const write = (text) => {
    set.call(found, text);
    found.setSelectionRange(text.length, text.length);
    found.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // Keep unsent text across reloads, because the page reloads itself after a server restart.
  let handed = ""; // the text at the last Send
  addEventListener("pagehide", () => {
    const text = found ? get.call(found) : "";
    keep("tandem-draft", text, "sessionStorage");
    keep("tandem-sent", text === handed ? text : "", "sessionStorage");
  });
  // Text that was sent but still in the box may have reached the server or not. If it has, the page shows it as
  // the last message.
  const squeeze = (text) => text.replace(/\s+/g, "");
  const isLastMessage = (text) => {
    const messages = document.querySelectorAll("#chat-0 .user-row .message");
    return messages.length > 0 && squeeze(messages[messages.length - 1].textContent) === squeeze(text);
  };
  const writeUnlessSent = (text, tries) => {
    if (isLastMessage(text)) return;
    if (tries) setTimeout(() => writeUnlessSent(text, tries - 1), 200);
    else if (!get.call(found)) write(text);
  };
  const retype = () => {
    const text = kept("tandem-draft", "sessionStorage");
    const wasSent = kept("tandem-sent", "sessionStorage") === text;
    for (const name of ["tandem-draft", "tandem-sent"]) keep(name, "", "sessionStorage");
    if (text) writeUnlessSent(text, wasSent ? 15 : 0);
  };

  // The server sets the box after Send (to nothing), Edit and Undo (to an earlier message). What was typed since
  // then stays: "sent" is the text at the moment of the action, and what follows it is appended. A draft that
  // Edit or Undo replaces comes back once the earlier message has been sent or left.
  const SETS = "#undo, #cancel-edit, .lane [data-act=edit]";
  const REPLACES = "#undo, .lane [data-act=edit]";
  let sent = null;
  let given = "";
  let draft = "";
  const act = (replaces) => {
    sent = found ? get.call(found) : null;
    handed = sent ?? "";
    if (replaces && sent && sent !== given && !document.querySelector("#cancel-edit")) draft = sent;
  };
  // Gradio reads the box a moment after the key or the click, when more may have been typed.
  const send = () => {
    act(false);
    window.tandemPayload = { message: handed };
  };
  addEventListener(
    "click",
    ({ target }) => {
      if (target.closest?.("#send")) send();
      else if (target.closest?.(SETS)) act(Boolean(target.closest(REPLACES)));
      if (target.closest?.("#cancel-edit") && !handed && draft) {
        // Gradio does not set an empty box to nothing, so the draft has to come back here.
        const back = draft;
        draft = "";
        write(back);
      }
    },
    true,
  );
  addEventListener(
    "keydown",
    ({ target, key, shiftKey }) => {
      if (target === found && key === "Enter" && !shiftKey) send();
    },
    true,
  );
  const receive = (text) => {
    const before = get.call(found);
    // Gradio also sets the box to the text that is in it, for example while the text is being typed.
    if (text === before) return;
    set.call(found, text);
    given = text;
    const typed = sent === null ? "" : before.startsWith(sent) ? before.slice(sent.length) : before;
    const after = text || !draft ? text + typed : typed ? `${draft}\n${typed}` : draft;
    if (!text) draft = "";
    sent = null;
    // Gradio is still setting the value: tell it about the text afterwards.
    if (after !== text) queueMicrotask(() => write(after));
    else if (document.activeElement === found) found.setSelectionRange(text.length, text.length);
  };

  // Count the draft's tokens once the user pauses. While answers are streamed, nothing is counted: the page
  // counts the draft again when they end.
  const PAUSE = 350;
  let timer = null;
  const count = () => {
    if (!tandemWriting()) document.getElementById("count-draft")?.click();
  };
  addEventListener("input", ({ target }) => {
    if (!target.closest?.("#message")) return;
    clearTimeout(timer);
    timer = setTimeout(count, PAUSE);
  }, true);
  new MutationObserver(() => {
    const box = document.querySelector("#message textarea");
    if (!box || box === found) return;
    found = box;
    Object.defineProperty(box, "value", { configurable: true, get, set: receive });
    retype();
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
