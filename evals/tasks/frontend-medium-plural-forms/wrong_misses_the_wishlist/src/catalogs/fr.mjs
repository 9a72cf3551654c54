export default {
  "cart.title": "Votre panier",
  "cart.empty": "Votre panier est vide",
  "cart.items": {
    one: "{count} article",
    other: "{count} articles",
  },
  "cart.total": "Total : {amount} €",
  "search.results": {
    one: "{count} résultat pour « {query} »",
    other: "{count} résultats pour « {query} »",
  },
  "search.none": "Aucun résultat pour « {query} »",
};
