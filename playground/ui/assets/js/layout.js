// The arrangement of the lanes, for layout.css: aligned turns, two by two, or one lane alone.
(() => {
  const narrow = matchMedia("(max-width: 768px)");
  const medium = matchMedia("(min-width: 1000px) and (max-width: 1700px)");
  const canAlign = CSS.supports("grid-template-rows", "subgrid");
  const holder = () => document.getElementById("lanes");
  const lanes = () => [...(holder()?.children ?? [])].filter((each) => each.classList.contains("lane"));
  let alone = ""; // id of the lane that is shown alone
  let current = ""; // id of the lane that was last pointed at or focused

  const set = (element, name, value) => {
    if (value === null || value === false) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  };
  const assign = (element, name, value) => {
    if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, value);
  };
  const countTurns = (all) => {
    const turns = all.flatMap((lane) => [...lane.querySelectorAll(".live .turn, .past .turn:last-child")]);
    return Math.max(0, ...turns.map((turn) => Number(turn.dataset.turn) + 1));
  };
  const chooseLayout = (count, square) => {
    if (alone) return "single";
    if (narrow.matches) return "row";
    if (canAlign && count > 1 && tandemView("align") !== "off") return "aligned";
    return square ? "square" : "row";
  };
  const arrange = () => {
    const grid = holder();
    if (!grid) return;
    const all = lanes();
    if (all.length < 2 || !all.some((lane) => lane.id === alone)) alone = "";
    if (!all.some((lane) => lane.id === current)) current = all[0]?.id ?? "";
    const four = tandemView("four");
    const square = all.length === 4 && !narrow.matches && (four === "square" || (four === "" && medium.matches));
    const layout = chooseLayout(all.length, square);
    const columns = square ? 2 : all.length;
    const rows = square ? 2 : 1;
    set(grid, "data-several", all.length > 1 && "");
    set(grid, "data-two-rows", square && "");
    assign(grid, "--lane-columns", columns);
    assign(grid, "--lane-rows", rows);
    assign(grid, "--turn-span", rows + 1);
    assign(grid, "--turn-rows", Math.max(1, countTurns(all)) * (rows + 1));
    all.forEach((lane, place) => {
      set(lane, "data-first", place === 0 && "");
      set(lane, "data-column", (place % columns) + 1);
      set(lane, "data-row", Math.floor(place / columns) + 1);
      set(lane, "data-alone", lane.id === alone && "");
      set(lane, "data-current", lane.id === current && "");
      assign(lane, "--lane-column", (place % columns) + 1);
      assign(lane, "--lane-row", Math.floor(place / columns) + 1);
      assign(lane, "--lane-letter", `"${"ABCD"[place]}"`);
    });
    if (grid.dataset.layout !== layout) {
      const before = grid.dataset.layout ?? "";
      set(grid, "data-layout", layout);
      measure();
      dispatchEvent(new CustomEvent("tandem-layout", { detail: before }));
    }
    watch(grid, all);
  };

  // Heads and feet are sticky, so the grid reserves as much room as the highest of them needs.
  const measure = () => {
    const grid = holder();
    const highest = (selector) => {
      const parts = [...grid.querySelectorAll(`:scope > .lane > ${selector}`)];
      return Math.max(0, ...parts.map((part) => (part.matches(".head") ? part.offsetHeight : contentHeight(part))));
    };
    const head = highest(".head");
    assign(grid, "--lane-head", `${head}px`);
    assign(grid, "--lane-top", `${head + highest(".meter-line") + 1}px`);
    assign(grid, "--lane-foot", `${highest(".foot")}px`);
    assign(grid, "--lanes-height", `${grid.clientHeight}px`);
    dispatchEvent(new CustomEvent("tandem-measure"));
  };
  // The parts themselves are at least as high as the room reserved for them.
  const contentHeight = (part) => Math.max(0, ...[...part.querySelectorAll(".html-container, .stop-lane")].map((each) => each.offsetHeight));
  const sizes = new ResizeObserver(measure);
  const watched = new WeakSet();
  const watch = (grid, all) => {
    const parts = all.flatMap((lane) => [...lane.querySelectorAll(":scope > .head, .meter-line, :scope > .foot")]);
    for (const part of [grid, ...parts, ...parts.flatMap((each) => [...each.querySelectorAll(".html-container")])]) {
      if (watched.has(part)) continue;
      watched.add(part);
      sizes.observe(part);
    }
  };

  // --- One lane alone -------------------------------------------------------------------------------

  window.tandemAlone = (lane) => {
    alone = alone === `lane-${lane}` ? "" : `lane-${lane}`;
    arrange();
    document.getElementById(`alone-${lane}`)?.focus({ preventScroll: true });
  };
  addEventListener("click", ({ target }) => {
    const button = target.closest?.(".lane .alone");
    if (button) tandemAlone(Number(button.id.split("-")[1]));
  });
  // In the capture phase, so that Esc restores the lanes before other scripts handle the key.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || !alone) return;
    const dialog = [...document.querySelectorAll(".dialog")].some((each) => each.getClientRects().length);
    if (dialog || event.target.matches?.("input[aria-expanded=true]")) return;
    event.preventDefault();
    event.stopPropagation();
    tandemAlone(Number(alone.split("-")[1]));
  }, true);
  const visit = ({ target }) => {
    const lane = target.closest?.(".lane");
    if (!lane || lane.id === current) return;
    current = lane.id;
    arrange();
  };
  for (const type of ["pointerover", "focusin"]) addEventListener(type, visit, { passive: true });

  for (const query of [narrow, medium]) query.addEventListener("change", arrange);
  addEventListener("tandem-view", arrange);
  new MutationObserver(tandemOncePerFrame(arrange)).observe(document.documentElement, { childList: true, subtree: true });
})();
