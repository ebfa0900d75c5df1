// Copy and download text, and store values in the browser.
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
})();
