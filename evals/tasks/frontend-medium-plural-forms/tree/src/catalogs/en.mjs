export default {
  "cart.title": "Your cart",
  "cart.empty": "Your cart is empty",
  "cart.items_one": "{count} item",
  "cart.items_many": "{count} items",
  "cart.total": "Total: {amount} €",
  "search.results_one": "{count} result for “{query}”",
  "search.results_many": "{count} results for “{query}”",
  "search.none": "Nothing found for “{query}”",
  "wishlist.title": "Saved for later",
  "wishlist.saved": "{total} item(s) saved for later",
};
