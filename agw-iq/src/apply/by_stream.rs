//! What there is for each of the few streams of a termination, by number. A tree would take room for eleven of them at once, and what is
//! kept for a stream is not small: a sorted list takes what it holds.

/// A map from stream numbers.
#[derive(Clone, Debug)]
pub(super) struct ByStream<T>(Vec<(u16, T)>);

impl<T> Default for ByStream<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByStream<T> {
    /// Room for so many.
    pub(super) fn with_capacity(streams: usize) -> Self {
        Self(Vec::with_capacity(streams))
    }

    fn find(&self, stream: u16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&stream, |(number, _)| *number)
    }

    pub(super) fn get(&self, stream: &u16) -> Option<&T> {
        self.find(*stream).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn contains_key(&self, stream: &u16) -> bool {
        self.find(*stream).is_ok()
    }

    pub(super) fn get_mut(&mut self, stream: &u16) -> Option<&mut T> {
        self.find(*stream).ok().map(|at| &mut self.0[at].1)
    }

    /// The same streams with something else for each.
    pub(super) fn map<U>(self, mut other: impl FnMut(T) -> U) -> ByStream<U> {
        ByStream(self.0.into_iter().map(|(number, value)| (number, other(value))).collect())
    }

    /// What was there under the number before.
    pub(super) fn insert(&mut self, stream: u16, value: T) -> Option<T> {
        match self.find(stream) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (stream, value));
                None
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&u16, &T)> {
        self.0.iter().map(|(number, value)| (number, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&u16, &mut T)> {
        self.0.iter_mut().map(|(number, value)| (&*number, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &u16> + Clone {
        self.0.iter().map(|(number, _)| number)
    }
}

impl<T> IntoIterator for ByStream<T> {
    type Item = (u16, T);
    type IntoIter = std::vec::IntoIter<(u16, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_in_the_order_of_their_numbers_and_once() {
        let mut map = ByStream::default();
        for (number, value) in [(3, "c"), (1, "a"), (2, "b")] {
            assert_eq!(map.insert(number, value), None);
        }
        assert_eq!(map.insert(2, "B"), Some("b"));
        assert_eq!((map.get(&2), map.get(&4), map.contains_key(&3)), (Some(&"B"), None, true));
        assert_eq!(map.into_iter().collect::<Vec<_>>(), [(1, "a"), (2, "B"), (3, "c")]);
    }
}
