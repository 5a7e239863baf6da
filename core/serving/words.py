"""Texts beside numbers: the words of one column, also where it holds none."""

from collections.abc import Iterable
from typing import Any, Self

from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

NONE = " "  # no token is a space


class Words(TfidfVectorizer):  # type: ignore[misc]
    """Weighs words as `TfidfVectorizer` does; a column without common words is one of zeros."""

    def fit(self, texts: Iterable[str], y: object = None) -> Self:
        """Learn the words of `texts`."""
        self.fit_transform(texts, y)
        return self

    def fit_transform(self, texts: Iterable[str], y: object = None) -> Any:  # noqa: ANN401
        """Learn the words of `texts` and return their weights, shape (rows, words), sparse."""
        rows = list(texts)
        try:
            found = super().fit_transform(rows, y)
        except ValueError:  # scikit-learn's word for: nothing is left to count
            self.vocabulary_, self.fixed_vocabulary_ = {NONE: 0}, False
            found = sparse.csr_matrix((len(rows), 1))
            self._tfidf.fit(found)
        # numpy integers make the file 20 times larger
        self.vocabulary_ = {term: int(place) for term, place in self.vocabulary_.items()}
        return found
