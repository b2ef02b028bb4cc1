// Starts the console. A file of its own, since the Content-Security-Policy allows no inline scripts.
import init from "{{glue}}";

init({ module_or_path: "{{wasm}}" }).catch((error) => {
  const text = document.createElement("p");
  text.className = "boot-error";
  text.setAttribute("role", "alert");
  text.textContent = "The console could not start: " + error + ". Reload the page; if that does not help, use a current browser.";
  document.body.replaceChildren(text);
  throw error;
});
