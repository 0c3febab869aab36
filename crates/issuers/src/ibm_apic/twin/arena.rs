//! A list that only grows, addressed by typed keys that are therefore always good.

use std::{
    marker::PhantomData,
    ops::{Index, IndexMut},
};

/// Made by [`Arena::push`] alone; good for the arena that made it, for ever.
pub(super) struct Key<T> {
    at: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

pub(super) struct Arena<T>(Vec<T>);

impl<T> Arena<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, item: T) -> Key<T> {
        self.0.push(item);
        Key { at: self.0.len() - 1, of: PhantomData }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = Key<T>> + use<T> {
        (0..self.0.len()).map(|at| Key { at, of: PhantomData })
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

#[expect(clippy::indexing_slicing, reason = "a key is made by push, and nothing is ever taken out")]
impl<T> Index<Key<T>> for Arena<T> {
    type Output = T;

    fn index(&self, key: Key<T>) -> &T {
        &self.0[key.at]
    }
}

#[expect(clippy::indexing_slicing, reason = "a key is made by push, and nothing is ever taken out")]
impl<T> IndexMut<Key<T>> for Arena<T> {
    fn index_mut(&mut self, key: Key<T>) -> &mut T {
        &mut self.0[key.at]
    }
}
