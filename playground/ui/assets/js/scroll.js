// Scrolling of the lanes: follow the answers at the end, and otherwise keep the line being read where it is.
(() => {
  const holder = () => document.getElementById("lanes");
  const isAligned = () => holder()?.dataset.layout === "aligned";
  const scrollers = () => {
    if (!holder()) return [];
    return isAligned() ? [holder()] : [...holder().querySelectorAll(":scope > .lane > .chat")];
  };
  const states = new WeakMap(); // for each scroller: whether it follows, where it was, and the line being read
  const stateOf = (scroller) => {
    if (!states.has(scroller)) states.set(scroller, { follows: true, grew: false, top: 0, height: 0, anchor: null });
    return states.get(scroller);
  };
  const distance = (scroller) => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

  // --- The line being read ------------------------------------------------------------------------

  // Answers are re-rendered as they grow, so the line is stored as a path: lane, turn, and positions of the
  // elements inside the turn. `top` is its distance from the upper edge of the window.
  const NESTED = "article, div, details, ul, ol, blockquote, table, thead, tbody";
  const edgeOf = (scroller) => {
    const covered = scroller.id === "lanes" ? parseFloat(getComputedStyle(scroller).scrollPaddingTop) || 0 : 0;
    return scroller.getBoundingClientRect().top + covered;
  };
  const isBelow = (edge) => (element) => {
    const { bottom, height } = element.getBoundingClientRect();
    return height > 0 && bottom > edge + 1;
  };
  const findAnchor = (scroller) => {
    const lane = scroller.closest(".lane") ?? scroller.querySelector(".lane[data-current]");
    const edge = edgeOf(scroller);
    let node = lane && [...lane.querySelectorAll(".turn")].find(isBelow(edge));
    if (!node) return null;
    const anchor = { lane: lane.id, turn: node.dataset.turn, path: [], top: 0 };
    while (node.matches(NESTED)) {
      const place = [...node.children].findIndex(isBelow(edge));
      if (place < 0) break;
      anchor.path.push(place);
      node = node.children[place];
    }
    anchor.top = node.getBoundingClientRect().top;
    return anchor;
  };
  const restore = (scroller, { lane, turn, path, top }) => {
    let node = document.getElementById(lane)?.querySelector(`.turn[data-turn="${turn}"]`);
    if (!node?.getClientRects().length) return;
    for (const place of path) node = node.children[place] ?? node;
    const moved = node.getBoundingClientRect().top - top;
    if (Math.abs(moved) > 0.5) scroller.scrollTop += moved;
  };

  // --- Follow or hold -----------------------------------------------------------------------------

  const userScrolled = (scroller, state) => {
    const up = scroller.scrollTop < state.top - 1;
    const rest = distance(scroller);
    // At the very end, the position also decreases when the content becomes shorter.
    if (up && rest > 1) state.follows = false;
    else if (rest < 32) state.follows = true;
    if (state.follows) state.grew = false;
    state.anchor = state.follows ? null : findAnchor(scroller);
  };
  const keep = (scroller) => {
    if (!scroller.getClientRects().length) return;
    const state = stateOf(scroller);
    if (Math.abs(scroller.scrollTop - state.top) > 1) userScrolled(scroller, state);
    if (state.follows) scroller.scrollTop = scroller.scrollHeight;
    else {
      if (state.anchor) restore(scroller, state.anchor);
      if (scroller.scrollHeight > state.height + 1) state.grew = true;
    }
    state.top = scroller.scrollTop;
    state.height = scroller.scrollHeight;
    show(scroller, state);
  };
  const show = (scroller, state) => {
    const lane = scroller.closest(".lane") ?? scroller.querySelector(":scope > .lane");
    const behind = !state.follows && state.grew && distance(scroller) > 60;
    if (lane.hasAttribute("data-behind") !== behind) lane.toggleAttribute("data-behind", behind);
  };
  const keepAll = () => scrollers().forEach(keep);
  const follow = (scroller) => {
    const state = stateOf(scroller);
    Object.assign(state, { follows: true, grew: false, anchor: null, top: scroller.scrollTop });
    keep(scroller);
  };
  const followAll = () => scrollers().forEach(follow);

  addEventListener("scroll", ({ target }) => {
    if (!scrollers().includes(target)) return;
    const state = stateOf(target);
    if (Math.abs(target.scrollTop - state.top) > 1) userScrolled(target, state);
    state.top = target.scrollTop;
    show(target, state);
  }, true);
  // An opened or closed section moves the lines below it, as the user expects.
  addEventListener("toggle", () => {
    for (const scroller of scrollers()) {
      const state = stateOf(scroller);
      if (state.anchor) state.anchor = findAnchor(scroller);
    }
  }, true);

  // --- Actions that lead to the end -----------------------------------------------------------------

  const SENDS = "#send, #retry, #replay, #probe-next, #probe-all, [data-act=retry], [data-act=extend]";
  addEventListener("keydown", ({ key, shiftKey, target }) => {
    if (key === "Enter" && !shiftKey && target.closest?.("#message") && target.value.trim()) followAll();
  }, true);
  addEventListener("click", ({ target }) => {
    if (target.closest?.(SENDS)) followAll();
    const lane = target.closest?.(".latest")?.closest(".lane");
    if (!lane) return;
    follow(isAligned() ? holder() : lane.querySelector(".chat"));
    lane.querySelector(".chat").focus({ preventScroll: true });
  }, true);
  addEventListener("tandem-conversation", followAll);
  addEventListener("tandem-measure", keepAll);

  // In another layout, the same turn is at the upper edge, or the end is visible as before.
  addEventListener("tandem-layout", ({ detail: before }) => {
    const old = before === "aligned" ? [holder()] : [...holder().querySelectorAll(".chat")];
    const read = old.map(stateOf).find((state) => !state.follows);
    for (const scroller of scrollers()) {
      const state = stateOf(scroller);
      state.follows = !read;
      state.anchor = null;
      if (read?.anchor) {
        const lane = scroller.closest(".lane")?.id ?? read.anchor.lane;
        state.anchor = { lane, turn: read.anchor.turn, path: [], top: edgeOf(scroller) };
      }
      state.top = scroller.scrollTop;
      keep(scroller);
    }
  });

  const resized = new ResizeObserver(keepAll);
  const watched = new WeakSet();
  const watch = () => {
    if (!holder()) return;
    for (const each of [holder(), ...holder().querySelectorAll(":scope > .lane > .chat")]) {
      if (watched.has(each)) continue;
      watched.add(each);
      resized.observe(each);
    }
  };
  // Once per frame: reading positions makes the browser lay the page out.
  const grown = tandemOncePerFrame(keepAll);
  new MutationObserver((changes) => {
    watch();
    if (changes.some(({ target }) => holder()?.contains(target))) grown();
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
