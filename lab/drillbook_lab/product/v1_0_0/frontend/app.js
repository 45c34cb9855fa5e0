document.querySelector("#q").addEventListener("input", async (event) => {
  const answer = await fetch(`/search?q=${encodeURIComponent(event.target.value)}`);
  const { found } = await answer.json();
  document.querySelector("#found").replaceChildren(...found.map(({ id }) => Object.assign(document.createElement("li"), { textContent: id })));
});
