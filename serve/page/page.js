"use strict";
(() => {
  const KEY = "krins-key", EVERY_MS = 5000;
  const form = document.querySelector("form"), input = document.getElementById("key");
  const body = document.getElementById("body"), state = document.getElementById("state");
  const parts = (root) => new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));

  function say(text) {
    if (state.textContent !== text) state.textContent = text;
    state.hidden = !text;
  }

  // Parts that did not change are left alone, so that a selection, a scrolled table and the focus stay.
  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").body, now = parts(body);
    if (!now.size) return body.replaceChildren(...fresh.childNodes);
    for (const [name, part] of parts(fresh))
      if (part.innerHTML !== now.get(name).innerHTML) now.get(name).replaceChildren(...part.childNodes);
  }

  function ask(text) {
    sessionStorage.removeItem(KEY);
    body.replaceChildren();
    form.hidden = false;
    say(text);
  }

  async function refresh() {
    const key = sessionStorage.getItem(KEY);
    if (document.hidden || (!key && !form.hidden)) return;
    try {
      const headers = key ? { authorization: "Bearer " + key } : {};
      const answer = await fetch("page/body", { headers, cache: "no-store", credentials: "omit" });
      if (answer.status === 401) return ask(key ? "This key is not known here." : "");
      if (answer.status === 403) return ask("This key may not see this page.");
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      form.hidden = true;
      show(html);
      say("");
    } catch {
      say("The service does not answer; what stands below is old.");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const key = input.value.trim();
    input.value = "";
    if (!/^[!-~]+$/.test(key)) return say("A key has no spaces or special characters.");
    sessionStorage.setItem(KEY, key);
    say("");
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
  refresh();
})();
