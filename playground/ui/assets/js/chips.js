// On narrow screens: letters above the lanes that jump to a lane. The letter of the lane in view is marked.
(() => {
  const narrow = matchMedia("(max-width: 768px)");
  const find = (chip) => document.getElementById(`lane-${chip.dataset.lane}`);
  const chips = () => [...document.querySelectorAll("#lane-chips button")];

  const update = tandemOncePerFrame(() => {
    const grid = document.getElementById("lanes");
    if (!grid || !narrow.matches) return;
    const { left, width } = grid.getBoundingClientRect();
    const middle = left + width / 2;
    for (const chip of chips()) {
      const lane = find(chip);
      if (chip.hidden === Boolean(lane)) chip.hidden = !lane;
      const box = lane?.getBoundingClientRect();
      const shown = String(Boolean(box) && box.left <= middle && box.right > middle);
      if (chip.getAttribute("aria-current") !== shown) chip.setAttribute("aria-current", shown);
    }
  });
  addEventListener("click", ({ target }) => {
    const chip = target.closest?.("#lane-chips button");
    const lane = chip && find(chip);
    if (!lane) return;
    if (document.querySelector("#lanes > .lane[data-alone]")) {
      if (!lane.hasAttribute("data-alone")) tandemAlone(Number(chip.dataset.lane));
      return;
    }
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    lane.scrollIntoView({ behavior, inline: "start", block: "nearest" });
  });
  addEventListener("scroll", ({ target }) => target.id === "lanes" && update(), { capture: true, passive: true });
  addEventListener("tandem-layout", update);
  narrow.addEventListener("change", update);
  new MutationObserver(update).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["data-alone"],
  });
})();
