// What other scripts share: copy and download text, store values in the browser, whether answers are being
// generated, and run once per frame.
(() => {
  window.tandemCopy = (text) => navigator.clipboard?.writeText(text);
  window.tandemDownload = (text, name = "prompt.txt") => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // Store values in the browser. Does nothing in browsers that block storage.
  window.tandemKeep = (name, text, store = "localStorage") => {
    try {
      if (text) window[store].setItem(name, text);
      else window[store].removeItem(name);
    } catch {}
  };
  window.tandemKept = (name, store = "localStorage") => {
    try {
      return window[store].getItem(name) ?? "";
    } catch {
      return "";
    }
  };

  // Whether answers are being generated: only then is Stop in the DOM.
  window.tandemWriting = () => document.getElementById("stop") !== null;

  // Return a function that runs `run` in the next frame, once, however often it is called until then.
  window.tandemOncePerFrame = (run) => {
    let waiting = false;
    return () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        run();
      });
    };
  };
})();
