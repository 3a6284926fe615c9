"""The bundled chart library, and its licences."""
