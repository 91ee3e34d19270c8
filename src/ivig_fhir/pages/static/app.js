"use strict";
// Comfort only: every page works without this file.
(() => {
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

  each("[data-action=print]", (button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });

  // What a link leads to may lie in a closed part of the page.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  reveal();

  // Escape hides the remark of an entry without moving the focus.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.body.classList.add("no-tips");
  });
  ["focusin", "mouseover"].forEach((name) => document.addEventListener(name, (event) => {
    if (!event.target.closest(".entry")) document.body.classList.remove("no-tips");
  }));

  each("[data-filter]", (input) => input.addEventListener("input", () => {
    const words = input.value.toLowerCase();
    each(input.dataset.filter, (item) => { item.hidden = !item.textContent.toLowerCase().includes(words); });
  }));

  each("[data-copy]", (button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = button.dataset.done;
      } catch {
        getSelection().selectAllChildren(text);
      }
    });
  });
})();
