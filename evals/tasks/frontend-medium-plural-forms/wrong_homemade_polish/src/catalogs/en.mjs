export default {
  "cart.title": "Your cart",
  "cart.empty": "Your cart is empty",
  "cart.items": {
    one: "{count} item",
    other: "{count} items",
  },
  "cart.total": "Total: {amount} €",
  "search.results": {
    one: "{count} result for “{query}”",
    other: "{count} results for “{query}”",
  },
  "search.none": "Nothing found for “{query}”",
  "wishlist.title": "Saved for later",
  "wishlist.saved": {
    one: "{count} item saved for later",
    other: "{count} items saved for later",
  },
};
