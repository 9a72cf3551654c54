export default {
  "cart.title": "Votre panier",
  "cart.empty": "Votre panier est vide",
  "cart.items_one": "{count} article",
  "cart.items_many": "{count} articles",
  "cart.total": "Total : {amount} €",
  "search.results_one": "{count} résultat pour « {query} »",
  "search.results_many": "{count} résultats pour « {query} »",
  "search.none": "Aucun résultat pour « {query} »",
};
